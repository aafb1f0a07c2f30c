"""Reassembly: whatever the network does to the segments, the bytes come in order, once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.capture import tally, tcp
from se.capture.segment import (
    ACK,
    FIN,
    RST,
    SYN,
    Closed,
    Data,
    Direction,
    Event,
    Gap,
    Opened,
    Segment,
)

A = Direction(b"\x0a\0\0\1", 4711, b"\x0a\0\0\2", 22222)
FIRST = 1000  # the sequence number of the first byte


def at(offset: int, payload: bytes = b"", flags: int = ACK, **more: float) -> Segment:
    """A segment `offset` bytes behind the first byte, at `time`; `length` where it was cut."""
    length = int(more.get("length", len(payload)))
    sequence = (FIRST + offset) % 2**32
    return Segment(more.get("time", 0.0), A, sequence, flags, payload, length)


OPEN = at(-1, flags=SYN)


class Run:
    """Feeds segments to a reassembler and notes what comes."""

    def __init__(self, *segments: Segment):
        self.unused = tally.Tally()
        self.tcp = tcp.Reassembler(self.unused)
        self.events: list[Event] = []
        self.take(*segments)

    def take(self, *segments: Segment) -> Run:
        for segment in segments:
            self.events += self.tcp.receive(segment)
        return self

    def close(self) -> Run:
        self.events += self.tcp.close()
        return self

    def text(self, direction: Direction = A) -> str:
        """All that came: bytes, `|` for a gap, `<` and `>` for the beginning and the end."""
        marks = {Gap: "|", Opened: "<", Closed: ">"}
        return "".join(
            event.data.decode() if isinstance(event, Data) else marks[type(event)]
            for event in self.events
            if event.direction == direction
        )


def test_bytes_come_at_once_and_in_order() -> None:
    assert Run(OPEN, at(0, b"abc"), at(3, b"def")).text() == "<abcdef"


def test_a_direction_says_how_it_began() -> None:
    assert Run(OPEN).events == [Opened(A, True)]
    assert Run(at(-1, flags=SYN | ACK)).events == [Opened(A, False)]
    assert Run(at(0, b"x")).events[0] == Opened(A, None)


def test_segments_without_bytes_begin_nothing() -> None:
    assert Run(at(0), at(0, flags=RST), at(0, flags=FIN)).events == []


def test_reordered_segments_are_put_in_order() -> None:
    run = Run(OPEN, at(6, b"ghi"), at(3, b"def"), at(0, b"abc"), at(9, b"jkl"))
    assert run.text() == "<abcdefghijkl"


def test_what_is_sent_again_is_dropped_and_counted() -> None:
    run = Run(OPEN, at(0, b"abc"), at(0, b"abc"), at(3, b"d"), at(0, b"abcd"))
    assert run.text() == "<abcd"
    assert run.unused.size == {tally.REPEATED: 7}


def test_what_is_older_than_the_first_byte_was_not_sent_again() -> None:
    run = Run(at(3, b"def"), at(0, b"abc"), at(6, b"ghi"), at(3, b"de"))
    assert run.text() == "<defghi"
    assert run.unused.size == {tally.LATE: 3, tally.REPEATED: 2}


def test_overlapping_segments_give_each_byte_once() -> None:
    assert Run(OPEN, at(0, b"abc"), at(1, b"bcde"), at(4, b"ef")).text() == "<abcdef"
    waiting = Run(OPEN, at(4, b"efgh"), at(2, b"cdef"), at(6, b"ghij"), at(2, b"cd"))
    assert waiting.text() == "<"
    assert waiting.take(at(0, b"abc")).text() == "<abcdefghij"


def test_a_larger_segment_may_fill_several_holes() -> None:
    run = Run(OPEN, at(1, b"b"), at(3, b"d"), at(0, b"abcdef"))
    assert run.text() == "<abcdef"


def test_sequence_numbers_wrap() -> None:
    first = 2**32 - 3 - FIRST
    run = Run(at(first - 1, flags=SYN), at(first, b"abc"), at(first + 6, b"ghi"))
    assert run.take(at(first + 3, b"def")).text() == "<abcdefghi"


def test_a_keep_alive_with_a_byte_of_nonsense_changes_nothing() -> None:
    assert Run(OPEN, at(0, b"abc"), at(2, b"\0"), at(3, b"d")).text() == "<abcd"


def test_a_hole_is_given_up_when_what_is_behind_it_has_waited_long_enough() -> None:
    run = Run(OPEN, at(0, b"abc"), at(6, b"ghi", time=1), at(9, b"jkl", time=60.9))
    assert run.text() == "<abc"
    assert run.take(at(12, b"mno", time=61)).text() == "<abc|ghijklmno"
    assert run.tcp.lost == 3


def test_a_hole_is_given_up_by_the_clock_of_other_connections() -> None:
    run = Run(OPEN, at(3, b"def", time=1), at(9, b"jkl", time=5))
    other = at(0, b"x", time=100)._replace(direction=A.reverse())
    assert run.take(other).text() == "<|def|jkl"


def test_a_retransmission_in_time_fills_the_hole() -> None:
    run = Run(OPEN, at(3, b"def", time=1), at(0, b"abc", time=60))
    assert run.text() == "<abcdef"
    assert run.tcp.lost == 0


def test_a_retransmission_that_comes_too_late_is_dropped() -> None:
    run = Run(OPEN, at(3, b"def", time=1), at(6, b"g", time=61), at(0, b"abc", time=62))
    assert run.text() == "<|defg"


def test_the_end_of_the_capture_gives_what_waits() -> None:
    assert Run(OPEN, at(3, b"def"), at(9, b"jkl")).close().text() == "<|def|jkl>"


def test_a_packet_cut_by_the_snap_length_is_a_hole_at_once() -> None:
    run = Run(OPEN, at(0, b"abc", length=10), at(10, b"klm"))
    assert run.text() == "<abc|klm"
    assert run.tcp.lost == 7


def test_a_cut_packet_that_was_sent_again_is_no_second_hole() -> None:
    run = Run(OPEN, at(0, b"abc", length=10), at(0, b"abc", length=10), at(8, b"", length=4))
    assert run.text() == "<abc||"
    assert run.tcp.lost == 9


def test_fin_and_rst_end_what_can_be_joined_once_all_before_is_there() -> None:
    for flag in (FIN, RST):
        run = Run(OPEN, at(3, b"def", flags=ACK | flag))
        assert run.text() == "<"
        assert run.take(at(0, b"abc")).text() == "<abcdef|"


def test_what_is_sent_again_after_the_end_is_not_given_again() -> None:
    run = Run(OPEN, at(0, b"abc", flags=ACK | FIN), at(0, b"abc"), at(0, b"abc", flags=ACK | FIN))
    assert run.text().replace("|", "") == "<abc"


def test_a_reset_from_anywhere_else_is_ignored() -> None:
    run = Run(OPEN, at(0, b"abc"), at(1, flags=RST), at(5_000_000, flags=RST), at(3, b"def"))
    assert run.text() == "<abcdef"


def test_a_new_syn_on_the_same_ports_is_a_new_connection() -> None:
    run = Run(OPEN, at(0, b"abc"), at(6, b"ghi"), at(70_000, flags=SYN), at(70_001, b"new"))
    assert run.text() == "<abc|ghi><new"


def test_an_inverter_that_starts_again_with_the_same_numbers_is_a_new_connection() -> None:
    for time in (5, 100):
        again = [OPEN._replace(time=time), at(0, b"new", time=time)]
        assert Run(OPEN, at(0, b"abc"), *again).text() == "<abc><new"


def test_behind_data_a_syn_is_sent_again_within_three_seconds_and_before_within_a_minute() -> None:
    begun = at(0, b"abc")
    for sent, time, is_new in ((begun, 2.9, 0), (begun, 3, 1), (OPEN, 59.9, 0), (OPEN, 60, 1)):
        run = Run(OPEN, sent, OPEN._replace(time=time))
        assert run.text().count("<") == 1 + is_new, time


def test_a_syn_sent_again_changes_nothing() -> None:
    assert Run(OPEN, OPEN, at(0, b"abc"), OPEN, at(3, b"def")).text() == "<abcdef"
    assert Run(OPEN, *(OPEN._replace(time=time) for time in (1, 3, 7, 15, 31))).text() == "<"


def test_a_syn_that_comes_late_changes_nothing() -> None:
    assert Run(at(0, b"abc"), OPEN, at(3, b"def")).text() == "<abcdef"
    assert Run(at(3, b"def"), OPEN, at(6, b"ghi")).text() == "<defghi"


def test_new_ports_whose_beginning_was_not_captured_are_gone_on_with_at_once() -> None:
    run = Run(OPEN, at(0, b"abc"), at(6, b"ghi"), at(50_000_000, b"new"), at(50_000_003, b"er"))
    assert run.text() == "<abc|ghi|newer"


def test_an_end_that_was_never_reached_is_forgotten_behind_a_long_gap() -> None:
    run = Run(OPEN, at(0, b"abc"), at(100, flags=FIN), at(50_000_000, b"new"))
    assert run.take(at(50_000_003, b"er")).text() == "<abc|newer"


def test_a_stray_segment_costs_nothing_but_the_joint() -> None:
    run = Run(OPEN, at(0, b"abc"), at(-50_000_000, b"stray"), at(3, b"def"))
    assert run.text() == "<abc|stray|def"


def test_memory_is_bounded_for_each_direction() -> None:
    run = Run(OPEN)
    size = 1000
    for offset in range(1, tcp.HELD_PER_DIRECTION, size):
        run.take(at(offset, b"x" * size))
        assert run.tcp._held <= tcp.HELD_PER_DIRECTION
    assert run.text().startswith("<|xxx")


def test_memory_is_bounded_for_segments_of_one_byte() -> None:
    run = Run(OPEN)
    for offset in range(1, 20_000, 2):
        run.take(at(offset, b"x"))
    waiting = run.tcp._streams[A].waiting
    assert len(waiting) < tcp.HELD_PER_DIRECTION / 200


def test_memory_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "HELD_IN_ALL", 10_000)
    run = Run()
    for port in range(100):
        direction = A._replace(source_port=port)
        run.take(
            OPEN._replace(direction=direction), at(1, b"x" * 1000)._replace(direction=direction)
        )
        assert run.tcp._held <= 10_000
    assert run.text(A._replace(source_port=0)) == "<|" + "x" * 1000


def test_all_directions_together_hold_no_more_than_8_mb() -> None:
    run = Run()
    for port in range(1, 60):
        direction = A._replace(source_port=port)
        run.take(OPEN._replace(direction=direction))
        for number in range(4):
            segment = at(1 + number * 60_000, bytes(60_000))
            run.take(segment._replace(direction=direction))
        streams = run.tcp._streams.values()
        held = sum(len(payload) for s in streams for *_, payload in s.waiting)
        assert held <= 8 << 20
        assert held >= min(port * 240_000, 7 << 20)


def test_the_number_of_directions_is_bounded_and_the_longest_silent_goes() -> None:
    run = Run()
    for port in range(tcp.DIRECTIONS + 1):
        run.take(at(0, b"x")._replace(direction=A._replace(source_port=port)))
        run.take(at(0, b"x")._replace(direction=A._replace(source_port=0)))
    assert len(run.tcp._streams) == tcp.DIRECTIONS
    assert run.text(A._replace(source_port=0)) == "<x"
    assert run.text(A._replace(source_port=1)) == "<x>"


def test_idle_directions_are_dropped_with_what_they_hold() -> None:
    run = Run(OPEN, at(0, b"abc"), at(6, b"ghi"))
    other = at(0, b"x", time=tcp.IDLE_S + 1)._replace(direction=A.reverse())
    assert run.take(other).text() == "<abc|ghi>"


def test_a_clock_that_jumps_back_drops_nothing() -> None:
    run = Run(OPEN._replace(time=1e9), at(0, b"abc", time=1e9), at(3, b"def", time=5))
    assert run.text() == "<abcdef"


def test_an_ignored_direction_gives_nothing_until_it_is_opened_anew() -> None:
    run = Run(OPEN, at(0, b"abc"), at(6, b"ghi"))
    run.tcp.ignore(A, "boring")
    run.take(at(3, b"def"), at(9, b"jkl"), at(12))
    assert run.text() == "<abc"
    assert run.unused.size == {"boring": 9}
    assert run.tcp._held == 0
    assert run.take(at(80_000, flags=SYN), at(80_001, b"new")).text() == "<abc><new"


def test_a_direction_may_be_ignored_while_its_bytes_are_given() -> None:
    run = Run(OPEN, at(3, b"def"), at(9, b"jkl"))
    for event in run.tcp.receive(at(0, b"abc")):
        assert event == Data(A, b"abc")
        run.tcp.ignore(A, "boring")
    assert run.unused.size == {"boring": 6}


def test_directions_are_told_apart() -> None:
    run = Run(OPEN, at(0, b"abc"), at(0, b"ABC")._replace(direction=A.reverse()), at(3, b"def"))
    assert run.text() == "<abcdef"
    assert run.text(A.reverse()) == "<ABC"
    assert str(A.reverse()) == "10.0.0.2 port 22222 to 10.0.0.1 port 4711"


@given(
    data=st.binary(min_size=1, max_size=300),
    first=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 2**32),
)
def test_every_byte_comes_once_whatever_the_order_and_the_cuts(
    data: bytes, first: int, seed: int
) -> None:
    rng = random.Random(seed)
    segments, start = [], 0
    while start < len(data):
        end = start + rng.randint(1, 30)
        early = max(0, start - rng.randint(0, 10))
        segments += [at(first + early, data[early:end])] * rng.randint(1, 2)
        start = end
    rng.shuffle(segments)
    run = Run(at(first - 1, flags=SYN), *segments)
    assert b"".join(e.data for e in run.events if isinstance(e, Data)) == data
    assert not any(isinstance(event, Gap) for event in run.events)
    sent = sum(segment.length for segment in segments)
    assert run.unused.size[tally.REPEATED] == sent - len(data)
    assert run.tcp._held == 0


@given(
    segments=st.lists(
        st.tuples(
            st.integers(-3_000_000, 3_000_000) | st.integers(-50, 50),
            st.binary(max_size=20),
            st.sampled_from([0, ACK, SYN, SYN | ACK, FIN | ACK, RST]),
            st.integers(0, 30),
            st.floats(-100, 2000),
        ),
        max_size=40,
    )
)
def test_nonsense_neither_raises_nor_leaves_anything_behind(
    segments: list[tuple[int, bytes, int, int, float]],
) -> None:
    run = Run()
    for offset, payload, flags, missing, time in segments:
        run.take(at(offset, payload, flags, time=time, length=len(payload) + missing))
    run.close()
    assert not run.tcp._streams
    assert run.tcp._held == 0
    given_out = sum(len(event.data) for event in run.events if isinstance(event, Data))
    assert given_out <= sum(len(payload) for _, payload, *_ in segments)

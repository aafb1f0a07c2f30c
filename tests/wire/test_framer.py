"""The framer's contract: no byte lost, the same events however cut, intact messages found."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se.wire.framer import NOISE_RUN, Discarded, Framer
from se.wire.message import MAGIC, Message, Reason
from tests.captures import GOOD, NOISY

Happening = Message | Discarded


def frame(chunks: Iterable[bytes]) -> list[Happening]:
    """All events of a stream that comes in these pieces."""
    framer = Framer()
    events: list[Happening] = []
    for chunk in (*chunks, None):
        if chunk is None:
            framer.close()
        else:
            framer.feed(chunk)
        while (event := framer.next_event()) is not None:
            assert not isinstance(event, Message) or framer.raw == event.to_bytes()
            events.append(event)
    return events


def found(events: Iterable[Happening]) -> list[Message]:
    return [event for event in events if isinstance(event, Message)]


def raw(event: Happening) -> bytes:
    return event.to_bytes() if isinstance(event, Message) else event.raw


def make(count: int, seed: int = 1) -> list[Message]:
    """Messages of all sizes, some with the magic number, or a whole message, as payload."""
    source = random.Random(seed)
    messages: list[Message] = []
    for number in range(count):
        payload = source.randbytes(source.choice((0, 2, 30, 300)))
        if number % 7 == 3:
            payload = payload[:10] + MAGIC + payload[10:]
        if number % 11 == 5:
            payload += messages[-1].to_bytes()
        messages.append(Message(number + 1, 0x7F101234, 0xFFFFFFFE, 0x0500, payload))
    return messages


def cut(stream: bytes, source: random.Random) -> list[bytes]:
    pieces = []
    while stream:
        size = source.choice((1, 3, 19, 22, 100, 1500))
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good[:24].hex())
def test_each_real_message_is_found_alone_and_between_junk(good: bytes) -> None:
    assert found(frame([good])) == [Message.parse(good)]
    assert found(frame([b"\x80", good, bytes(6), good, b"\x12\x34"])) == [Message.parse(good)] * 2


@pytest.mark.parametrize("noisy", NOISY, ids=lambda noisy: noisy[:24].hex())
def test_a_noisy_message_is_discarded_whole_by_its_checksum(noisy: bytes) -> None:
    assert frame([noisy]) == [Discarded(noisy, Reason.CHECKSUM)]


def test_the_captures_in_one_stream() -> None:
    stream = b"".join(raw for pair in zip(GOOD, NOISY, strict=False) for raw in pair)
    assert len(found(frame([stream]))) == len(NOISY)


def test_magic_inside_a_payload_is_not_a_boundary() -> None:
    inner = Message(2, 3, 4, 5, b"inner")
    outer = Message(1, 3, 4, 5, b"<" + inner.to_bytes() + b">")
    assert frame([outer.to_bytes()]) == [outer]


def test_a_message_inside_a_broken_one_is_found() -> None:
    inner = Message(2, 3, 4, 5, b"inner")
    broken = bytearray(Message(1, 3, 4, 5, b"<" + inner.to_bytes() + b">").to_bytes())
    broken[-1] ^= 1
    assert [type(event) for event in frame([bytes(broken)])] == [Discarded, Message, Discarded]


def test_a_message_behind_one_that_lost_bytes_is_found() -> None:
    first, second = make(2, seed=3)
    for lost in range(4, first.size):
        stream = first.to_bytes()[:lost] + second.to_bytes()
        assert found(frame([stream])) == [second]


@pytest.mark.parametrize(
    ("stream", "reasons"),
    [
        (b"hello", [Reason.NOISE]),
        (MAGIC + b"\x01\x00\x00\x00" + bytes(30), [Reason.LENGTH, Reason.NOISE]),
        (GOOD[0][:-2], [Reason.INCOMPLETE]),
        (MAGIC, [Reason.INCOMPLETE]),
        (MAGIC + MAGIC, [Reason.INCOMPLETE, Reason.INCOMPLETE]),
        (GOOD[0][:-1] + b"\x12", [Reason.CHECKSUM, Reason.NOISE]),
    ],
)
def test_garbage_is_discarded_with_its_reason(stream: bytes, reasons: list[Reason]) -> None:
    events = frame([stream])
    assert [event.reason for event in events if isinstance(event, Discarded)] == reasons
    assert b"".join(map(raw, events)) == stream


def test_only_as_much_as_one_message_is_held_back() -> None:
    framer = Framer()
    source = random.Random(5)
    for _ in range(200):
        framer.feed(source.randbytes(1000))
        while framer.next_event() is not None:
            pass
        assert framer.pending < NOISE_RUN


def test_feeding_goes_on_after_a_pause() -> None:
    first, second = make(2)
    framer = Framer()
    framer.feed(first.to_bytes()[:-1])
    assert framer.next_event() is None
    framer.close()
    assert isinstance(framer.next_event(), Discarded)
    framer.feed(second.to_bytes())
    assert framer.next_event() == second
    assert framer.next_event() is None


@settings(max_examples=150)
@given(st.lists(st.sampled_from([MAGIC, MAGIC[:2], b"\0", GOOD[0], GOOD[4], NOISY[0], b"\x79"])))
def test_no_byte_is_lost_and_cuts_do_not_matter(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    whole = frame([stream])
    assert b"".join(map(raw, whole)) == stream
    assert frame(pieces) == whole
    assert frame(bytes([byte]) for byte in stream) == whole


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(0, 3 * NOISE_RUN))
def test_long_noise_does_not_depend_on_cuts_either(seed: int, size: int) -> None:
    source = random.Random(seed)
    noise = bytes(source.choices(b"\x00\x12\x34\x56\x79", weights=[9, 1, 1, 1, 1], k=size))
    stream = noise + GOOD[4] + noise
    whole = frame([stream])
    assert b"".join(map(raw, whole)) == stream
    assert frame(cut(stream, source)) == whole
    assert Message.parse(GOOD[4]) in whole


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_damage_costs_exactly_the_messages_that_it_touches(seed: int) -> None:
    source = random.Random(seed)
    messages = make(1000)
    damaged = set(source.sample(range(1000), source.choice((0, 1, 10, 100))))
    stream = bytearray()
    for number, message in enumerate(messages):
        encoded = bytearray(message.to_bytes())
        if number in damaged:
            at = source.randrange(len(encoded))
            damage = source.choice(("flip", "delete", "insert"))
            if damage == "flip":
                encoded[at] ^= 1 << source.randrange(8)
            elif damage == "delete":
                del encoded[at : at + source.choice((1, 2, 50))]
            else:
                encoded[at:at] = source.randbytes(source.choice((1, 7)))
            if message.to_bytes() in encoded:  # the damage fell before or behind the message
                damaged.remove(number)
        stream += encoded
        if source.random() < 0.1:
            stream += source.randbytes(3)
    events = frame(cut(bytes(stream), source))
    intact = [message for number, message in enumerate(messages) if number not in damaged]
    carried = {message for number in damaged for message in inner(messages[number])}
    assert [message for message in found(events) if message not in carried] == [
        message for message in intact if message not in carried
    ]
    assert set(found(events)) >= set(intact)
    assert set(found(events)) <= {*intact, *carried}
    assert b"".join(map(raw, events)) == stream


def inner(message: Message) -> list[Message]:
    """Whole messages that a payload carries: of a broken message they are found."""
    at = message.payload.find(MAGIC)
    return found(frame([message.payload[at:]])) if at >= 0 else []

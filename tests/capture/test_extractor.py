"""From captures to messages, in process: all messages, once each, and only those asked for."""

from __future__ import annotations

import gzip
import logging
import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se.capture.error_policy import ErrorPolicy
from se.capture.extractor import CapturedMessage, Extractor, decode_capture, extract_messages
from se.capture.formats import Packet
from se.capture.reader import read_packets
from se.capture.servers import DEFAULT_NAME, Servers
from se.capture.side import STRAY
from se.errors import InputError
from se.stream import Mark, Stream
from se.wire.message import SERVER, Message
from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.pcap_writer import PROD, Connection, Segment

HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(200)
SENT = site.SENT
MORNING = {inverter: sent[:12] for inverter, sent in site.DAY.items()}
ONE, TWO = "203.0.113.10", "203.0.113.77"


def packets_of(*chunks: bytes | Mark) -> Stream[Packet]:
    captures = (("x.pcap", chunk) for chunk in chunks)
    return read_packets(captures, ErrorPolicy(is_folder=False, follow=False))


def joined(found: Stream[CapturedMessage]) -> bytes:
    return b"".join(each.raw for each in found if isinstance(each, CapturedMessage))


class Result:
    """What came of a capture: messages, the error at its end, the log, the summary."""

    def __init__(self, data: bytes, *, server: str = PROD, both: bool = False, **knows: str):
        self.resolved: list[str] = []
        self.knows = knows.get("resolver")
        self.extractor = Extractor(Servers(server, self._resolve), both=both)
        self.messages: list[Message] = []
        self.error = ""
        chunks = [data[at : at + 1000] for at in range(0, len(data), 1000)]
        packets = packets_of(*chunks, Mark.END)
        try:
            for found in extract_messages(self.extractor, packets):
                if isinstance(found, CapturedMessage):
                    assert found.raw == found.message.to_bytes()
                    self.messages.append(found.message)
        except InputError as error:
            self.error = str(error)
        self.summary = self.extractor.summary()

    def _resolve(self, name: str) -> Iterator[bytes]:
        self.resolved.append(name)
        if self.knows:
            yield bytes(map(int, self.knows.split(".")))


def capture(segments: Iterable[Segment], *extra: writer.Frame, kind: str = "ethernet") -> bytes:
    return writer.pcap([*extra, *writer.frames(segments, kind)], writer.LINKS[kind])


def plain(sent: list[Message] = SENT, server: str = ONE, client: str = "192.168.1.20") -> bytes:
    return capture(site.conversation(Connection(client, server=server), sent))


def test_every_message_of_a_connection_comes_once() -> None:
    result = Result(plain())
    assert result.messages == SENT
    assert result.error == ""
    assert "1 connections with messages, 14 messages; 0 bytes were not captured" in result.summary
    assert Result(writer.pcap([])).summary.endswith("not used: nothing")


CAPTURES = {
    "ethernet": {},
    "vlan": {"kind": "vlan"},
    "qinq": {"kind": "qinq"},
    "pppoe": {"kind": "pppoe"},
    "cooked": {"kind": "sll"},
    "cooked, second version": {"kind": "sll2"},
    "raw": {"kind": "raw"},
    "loopback": {"kind": "null"},
    "big-endian": {"order": ">"},
    "nanoseconds": {"fractions": 10**9},
    "Fritz!Box": {"fritz_box": True},
    "pcapng": {"ng": True},
    "pcapng, big-endian": {"ng": True, "order": ">"},
    "IPv6": {"v6": True},
    "options": {"ip_options": bytes(8), "tcp_options": b"\x01" * 12},
    "gzip": {"packed": True},
}


def made_capture(
    segments: list[Segment],
    *,
    kind: str = "ethernet",
    ng: bool = False,
    packed: bool = False,
    v6: bool = False,
    ip_options: bytes = b"",
    tcp_options: bytes = b"",
    **form: object,
) -> bytes:
    frames = writer.frames(segments, kind, ip_options=ip_options, tcp_options=tcp_options)
    write = writer.pcapng if ng else writer.pcap
    data = write(frames, writer.LINKS[kind], **form)  # type: ignore[arg-type]
    return gzip.compress(data) if packed else data


@pytest.mark.parametrize("form", CAPTURES.values(), ids=CAPTURES)
def test_three_inverters_on_a_bad_network_lose_and_double_nothing(form: dict[str, object]) -> None:
    v6 = "v6" in form
    segments = site.busy_day(MORNING, v6=v6)
    server = segments[0].dest
    result = Result(made_capture(segments, **form), server=server)  # type: ignore[arg-type]
    everything = [message for sent in MORNING.values() for message in sent]
    assert sorted(result.messages) == sorted(everything)
    for sent in MORNING.values():
        assert [message for message in result.messages if message in sent] == sent
    assert "0 bytes were not captured" in result.summary


def test_messages_come_in_the_order_of_their_last_bytes() -> None:
    first, second = Connection("192.168.1.20"), Connection("192.168.1.21")
    early, late = (message.to_bytes() for message in SENT[:2])
    segments = [*first.open(), *second.open()]
    segments += [*first.send(late[:10]), *second.send(early), *first.send(late[10:])]
    assert Result(capture(segments)).messages == SENT[:2]


def test_a_connection_whose_start_was_not_captured_is_found_behind_its_first_message() -> None:
    connection = Connection()
    connection.open()
    data = site.joined(SENT)
    segments = connection.send(*writer.cut_randomly(data[7:], random.Random(1), 100))
    assert Result(capture(segments)).messages == SENT[1:]


def test_port_reuse_does_not_join_two_connections() -> None:
    first = Connection()
    data = SENT[2].to_bytes()
    again = Connection(time=writer.T0 + 100, first=(5_000_000, 1))
    segments = [*first.open(), *first.send(data, data[:30]), *again.open(), *again.send(data[30:])]
    assert Result(capture(segments)).messages == [SENT[2]]
    again = Connection(time=writer.T0 + 100, first=(5_000_000, 1))
    segments = [*first.send(data, data[:30]), *again.open(), *again.send(SENT[1].to_bytes())]
    assert Result(capture(segments)).messages == [SENT[2], SENT[1]]


def test_a_lost_segment_costs_only_the_messages_that_it_touches() -> None:
    connection = Connection()
    pieces = [message.to_bytes() for message in SENT]
    pieces[3:5] = [pieces[3][:-5], pieces[3][-5:] + pieces[4]]
    segments = connection.open() + connection.send(*pieces)
    del segments[3 + 4]
    result = Result(capture(segments))
    assert result.messages == SENT[:3] + SENT[5:]
    assert f"{len(pieces[4])} bytes were not captured" in result.summary


def test_what_waits_behind_a_hole_comes_after_a_minute_of_the_capture() -> None:
    connection = Connection()
    segments = connection.open() + connection.send(SENT[0].to_bytes(), SENT[1].to_bytes())
    del segments[3]
    segments += connection.send(SENT[2].to_bytes(), step=59)
    extractor = Extractor(Servers(PROD, lambda _: ()))

    def feed(data: bytes) -> list[bytes]:
        packets = (each for each in packets_of(data) if isinstance(each, Packet))
        return [found.raw for packet in packets for found in extractor.receive(packet)]

    assert feed(capture(segments)) == []
    behind = [message.to_bytes() for message in SENT[1:4]]
    assert feed(capture(connection.send(SENT[3].to_bytes(), step=2))) == behind


def test_packets_cut_by_the_snap_length_cost_only_what_they_touch() -> None:
    long = Message(1, site.INVERTERS[0], SERVER, 0x0500, bytes(500))
    sent = [SENT[0]._replace(payload=b""), long, SENT[1]._replace(payload=b"")]
    connection = Connection()
    segments = connection.open() + connection.send(*(message.to_bytes() for message in sent))
    result = Result(writer.pcap(writer.frames(segments, snap_length=200)))
    assert result.messages == [sent[0], sent[2]]
    assert f"{long.size - 146} bytes were not captured" in result.summary


def test_fragments_are_dropped_and_counted() -> None:
    (segment,) = Connection().send(SENT[0].to_bytes())
    packet = writer.ip(segment.source, segment.dest, writer.tcp(segment), fragment=0x2000)
    frame = writer.Frame(writer.T0, packet, len(packet))
    result = Result(writer.pcap([frame], writer.RAW))
    assert result.messages == []
    assert f"IP fragments: {len(packet)} bytes in 1 pieces" in result.summary


def test_only_the_inverters_side_comes_and_with_both_the_servers_too() -> None:
    assert Result(plain()).messages == SENT
    both = Result(plain(), both=True)
    assert sorted(both.messages) == sorted(SENT + site.answers(SENT))
    assert "1 connections with messages, 28 messages" in both.summary


@pytest.mark.parametrize("port", [22222, 22221, 80, 8080])
@pytest.mark.parametrize("opened", [True, False])
def test_the_sides_are_told_apart_on_any_port(port: int, opened: bool) -> None:
    segments = site.conversation(Connection(server_port=port), SENT)
    for server in (PROD, "", "nowhere.example"):
        result = Result(capture(segments[0 if opened else 3 :]), server=server)
        assert result.messages == SENT


def test_encrypted_messages_pass_through_untouched() -> None:
    sent = [Message(n, 0xFFFFFFFD, 0xFFFFFFFF, 0x003D, bytes(range(n, n + 60))) for n in range(9)]
    assert Result(plain(sent)).messages == sent
    # they do not even say which way they go
    connection = Connection(server_port=1234)
    segments = connection.send(site.joined(sent)) + connection.answer(site.joined(sent[:3]))
    assert Result(capture(segments)).messages == sent


def two_servers(*extra: writer.Frame) -> bytes:
    """SENT[:6] go to one server, and at the same time the rest to another."""
    one = site.conversation(Connection(server=ONE), SENT[:6])
    later = Connection("192.168.1.21", server=TWO, time=one[10].time)
    two = site.conversation(later, SENT[6:])
    return capture(writer.merge(one, two), *extra)


def test_an_address_picks_the_connections_to_it() -> None:
    assert Result(two_servers(), server=ONE).messages == SENT[:6]
    assert Result(two_servers(), server=TWO).messages == SENT[6:]
    assert "to or from another server: " in Result(two_servers(), server=TWO).summary
    assert Result(two_servers(), server="203.0.113.1").messages == []


def test_a_name_is_looked_up_in_the_captures_own_answers_first() -> None:
    answer = writer.dns_answer(DEFAULT_NAME, [TWO])
    result = Result(two_servers(answer), server=DEFAULT_NAME, resolver=ONE)
    assert result.messages == SENT[6:]
    assert result.resolved == []


@pytest.mark.parametrize("is_older", [True, False])
def test_a_connection_dropped_for_a_later_dns_answer_is_warned_of_once(
    is_older: bool, caplog: pytest.LogCaptureFixture
) -> None:
    answer = writer.dns_answer(DEFAULT_NAME, [TWO])
    clients = ("192.168.1.20", "192.168.1.21")
    opened = [Connection(client, server=ONE) for client in clients]
    first = writer.frames([segment for each in opened for segment in each.open()])
    sent = writer.frames([s for each in opened for s in each.send(site.joined(SENT))])
    frames = [*first, answer, *sent] if is_older else [answer, *first, *sent]
    assert Result(writer.pcap(frames), server=DEFAULT_NAME).messages == []
    assert (
        caplog.messages
        == [
            "192.168.1.20 port 4711 to 203.0.113.10 port 22222: messages that are dropped: "
            "a DNS answer that came later has other addresses for prod.solaredge.com"
        ]
        * is_older
    )


def test_a_name_that_the_capture_does_not_know_is_resolved() -> None:
    result = Result(two_servers(), server=DEFAULT_NAME, resolver=ONE)
    assert result.messages == SENT[:6]
    assert result.resolved == [DEFAULT_NAME]


def test_where_a_name_leads_nowhere_every_server_counts_which_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "se")
    for resolver in ("", "198.51.100.1"):  # no network; another generation of servers
        caplog.clear()
        result = Result(two_servers(), server=DEFAULT_NAME, resolver=resolver)
        assert sorted(result.messages) == sorted(SENT)
        assert caplog.text.count("prod.solaredge.com leads nowhere") == 1


def test_other_traffic_is_passed_over_and_counted() -> None:
    segments = site.conversation(Connection(), SENT)
    result = Result(capture(writer.merge(segments, site.noise(4))), server="")
    assert result.messages == SENT
    assert f"other traffic: {4 * (18 + 60 * 1400)} bytes" in result.summary


def test_a_connection_that_begins_with_anything_else_is_other_traffic() -> None:
    web = Connection(server_port=8080)
    header = b"POST / HTTP/1.1\r\nHost: " + b"x" * STRAY
    segments = web.open() + web.send(header, site.joined(SENT))
    assert Result(capture(segments), server="").messages == []
    assert Result(capture(segments), server=PROD).messages == SENT  # it is the server, after all


@pytest.mark.parametrize(("port", "stray"), [(22222, 1), (22222, 3000), (80, 100), (8080, 10)])
def test_stray_bytes_before_the_first_message_cost_nothing(port: int, stray: int) -> None:
    connection = Connection(server_port=port)
    segments = connection.open() + connection.send(b"\x80" * stray, site.joined(SENT))
    result = Result(capture(segments), server="")
    assert result.messages == SENT
    assert f"other traffic: {stray} bytes" in result.summary


def test_a_first_message_that_is_damaged_costs_only_itself() -> None:
    raw = site.joined(SENT[1:])
    for at in (4, 30):  # its length, its contents
        connection = Connection()
        damaged = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        segments = connection.open() + connection.send(damaged)
        assert Result(capture(segments), server="").messages == SENT[2:]


def test_a_connection_without_a_beginning_is_given_up_after_the_longest_message() -> None:
    connection = Connection()
    junk = [bytes(1400)] * 60
    for server, found in ((PROD, SENT), ("", [])):
        segments = connection.send(*junk, site.joined(SENT))
        assert Result(capture(segments), server=server).messages == found
    segments = connection.send(*junk[:40], site.joined(SENT))
    assert Result(capture(segments), server="").messages == SENT


def test_tls_is_told_once_for_each_inverter(caplog: pytest.LogCaptureFixture) -> None:
    segments: list[Segment] = []
    for number in range(3):
        tls = Connection("192.168.1.20", 4000 + number, server_port=22222, time=writer.T0 + number)
        segments += tls.open() + tls.send(HELLO) + tls.answer(HELLO) + tls.send(bytes(99))
    browser = Connection("192.168.1.99", server="198.51.100.7", server_port=443)
    segments += browser.open() + browser.send(HELLO)
    result = Result(capture(segments), server=DEFAULT_NAME)
    assert result.messages == []
    assert caplog.messages == [
        "192.168.1.20: the firmware of this inverter encrypts with TLS: nothing of it can be read"
    ]
    assert f"encrypted with TLS: {3 * (len(HELLO) + 99)} bytes" in result.summary


def test_every_payload_byte_is_accounted_for() -> None:
    segments = writer.merge(site.busy_day(MORNING), site.noise(3))
    payload = sum(len(segment.payload) for segment in segments)
    result = Result(capture(segments))
    used = sum(message.size for message in result.messages)
    assert used + sum(result.extractor._unused.size.values()) == payload


def test_damage_keeps_every_message_before_it() -> None:
    data = plain()
    result = Result(data[:-1])
    assert result.messages == SENT
    assert result.error == "x.pcap: ends in the middle of a packet"
    lost = site.conversation(Connection(), SENT)
    del lost[3]  # the first bytes: all others wait for them
    for server in (PROD, ""):
        result = Result(capture(lost)[:-1], server=server)
        assert result.messages == SENT[1:]
        assert result.error


def test_a_capture_that_goes_on_in_the_next_file_is_one_connection() -> None:
    segments = site.conversation(Connection(), SENT)
    for border in range(1, len(segments)):
        first, second = capture(segments[:border]), capture(segments[border:])
        extractor = Extractor(Servers(PROD, lambda _: ()))
        packets = packets_of(first, Mark.BROKEN, second, Mark.END)
        assert joined(extract_messages(extractor, packets)) == site.joined(SENT)


def test_decoding_a_capture_directly_asks_nobody_and_takes_every_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", None)
    found = decode_capture(iter([two_servers(), Mark.END]), "x.pcap", follow=False)
    assert sorted(each for each in found if isinstance(each, Message)) == sorted(SENT)
    assert "nowhere" not in caplog.text


DAMAGED = capture(
    writer.merge(site.busy_day(MORNING), site.noise(1)), writer.dns_answer(DEFAULT_NAME, [PROD])
)


@settings(max_examples=60)
@given(
    flips=st.lists(st.tuples(st.integers(0, len(DAMAGED)), st.integers(1, 255)), max_size=30),
    cut=st.integers(0, len(DAMAGED)),
)
def test_a_damaged_capture_gives_whole_messages_or_one_error(
    flips: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(DAMAGED)
    for at, change in flips:
        data[at % len(data)] ^= change
    result = Result(bytes(data[:cut]), server=DEFAULT_NAME)
    assert result.error == "" or result.error.startswith("x.pcap: ")
    for message in result.messages:
        assert any(message in sent for sent in MORNING.values())

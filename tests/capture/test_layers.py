"""From packets to segments: link layers, IP of both versions, TCP, DNS answers."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.capture import tally
from se.capture.formats import Packet
from se.capture.layers import Answer, parse_packet
from se.capture.segment import ACK, Direction, Segment
from tests.support import pcap_writer as writer

V4 = ("192.168.1.20", "203.0.113.10")
V6 = ("2001:db8::20", "2001:db8::10")
PAYLOAD = b"twelve bytes"


def sent(ends: tuple[str, str], payload: bytes = PAYLOAD) -> writer.Segment:
    return writer.Segment(1.5, ends[0], 4711, ends[1], 22222, 77, 0, ACK, payload)


def segment(ends: tuple[str, str], payload: bytes = PAYLOAD, length: int | None = None) -> Segment:
    source, dest = (ipaddress.ip_address(end).packed for end in ends)
    direction = Direction(source, 4711, dest, 22222)
    return Segment(1.5, direction, 77, ACK, payload, len(payload) if length is None else length)


def captured(data: bytes, link_type: int = writer.ETHERNET, length: int = 0) -> Packet:
    return Packet(1.5, link_type, data, length or len(data))


KINDS = [
    (kind, ends)
    for kind in writer.LINKS
    for ends in (V4, V6)
    if (kind, ends) not in (("ipv4", V6), ("ipv6", V4))
]


@pytest.mark.parametrize(("kind", "ends"), KINDS)
def test_every_link_layer_leads_to_the_segment(kind: str, ends: tuple[str, str]) -> None:
    for frame in writer.frames([sent(ends)], kind):
        packet = captured(frame.data, writer.LINKS[kind])
        assert parse_packet(packet) == segment(ends)


@pytest.mark.parametrize("link_type", [0, 108])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_loopback_header_may_have_any_byte_order(link_type: int, order: str) -> None:
    packet = writer.ip(*V4, writer.tcp(sent(V4)))
    data = struct.pack(order + "I", 2) + packet
    assert parse_packet(captured(data, link_type)) == segment(V4)


def test_ip_and_tcp_options_are_skipped() -> None:
    for ends in (V4, V6):
        for frame in writer.frames([sent(ends)], ip_options=b"\x01" * 8, tcp_options=b"\x01" * 12):
            assert parse_packet(captured(frame.data)) == segment(ends)


def test_the_padding_of_short_packets_is_no_payload() -> None:
    for payload in (b"", b"x"):
        for frame in writer.frames([sent(V4, payload)]):
            assert len(frame.data) == 60
            assert parse_packet(captured(frame.data)) == segment(V4, payload)


@pytest.mark.parametrize("ends", [V4, V6])
def test_without_an_ip_length_all_there_is_counts(ends: tuple[str, str]) -> None:
    data = writer.link("raw", writer.ip(*ends, writer.tcp(sent(ends)), no_length=True))
    assert parse_packet(captured(data, writer.RAW)) == segment(ends)
    cut = captured(data[:-5], writer.RAW, length=len(data))
    assert parse_packet(cut) == segment(ends, PAYLOAD[:-5], len(PAYLOAD))
    too_long = captured(data, writer.RAW, length=len(data) - 5)
    assert parse_packet(too_long) == segment(ends, PAYLOAD[:-5])


@pytest.mark.parametrize("kind", ["ethernet", "qinq", "sll2"])
def test_a_cut_packet_tells_how_long_its_payload_was(kind: str) -> None:
    payload = bytes(100)
    (frame,) = writer.frames([sent(V4, payload)], kind)
    packet = captured(frame.data[:-60], writer.LINKS[kind], len(frame.data))
    assert parse_packet(packet) == segment(V4, payload[:40], 100)


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x2005])
def test_fragments_are_not_taken_for_segments(fragment: int) -> None:
    data = writer.ip(*V4, writer.tcp(sent(V4)), fragment=fragment)
    assert parse_packet(captured(data, writer.RAW)) == tally.FRAGMENT
    data = writer.ip(*V6, writer.tcp(sent(V6)), fragment=fragment, options=bytes(8))
    assert parse_packet(captured(data, writer.RAW)) == tally.FRAGMENT


@pytest.mark.parametrize("behind", [0, 43, 60])
def test_ipv6_headers_behind_that_of_a_fragment_change_nothing(behind: int) -> None:
    inner = bytes([6, *bytes(7)]) + writer.tcp(sent(V6))
    data = writer.ip(*V6, inner, protocol=behind, fragment=1, options=bytes(8))
    assert parse_packet(captured(data, writer.RAW)) == tally.FRAGMENT
    first = writer.ip(*V6, bytes([44, *bytes(7)]) + data[40:], protocol=behind)
    assert parse_packet(captured(first, writer.RAW)) == tally.FRAGMENT


def test_ipv6_headers_before_tcp_are_skipped() -> None:
    inner = bytes([43, *bytes(7)]) + bytes([60, *bytes(7)]) + bytes([6, *bytes(7)])
    data = writer.ip(*V6, inner + writer.tcp(sent(V6)), protocol=0)
    assert parse_packet(captured(data, writer.RAW)) == segment(V6)


@pytest.mark.parametrize("tags", ["810000078100", "88a8000788a800078100", "910000079200000788a8"])
def test_tags_come_in_any_order_and_behind_every_link_layer(tags: str) -> None:
    tagged = bytes.fromhex(f"{tags}00080800")
    headers = {
        writer.ETHERNET: bytes(12) + tagged,
        writer.SLL: bytes(14) + tagged,
        writer.SLL2: tagged[:2] + bytes(18) + tagged[2:],
    }
    for link_type, header in headers.items():
        data = header + writer.ip(*V4, writer.tcp(sent(V4)))
        assert parse_packet(captured(data, link_type)) == segment(V4)


OTHERS = {
    "ARP": writer.link("ethernet", bytes([0x45])).replace(b"\x08\x00\x45", b"\x08\x06\x45"),
    "ICMP": writer.link("ethernet", writer.ip(*V4, bytes(8), protocol=1)),
    "UDP": writer.link("ethernet", writer.ip(*V4, bytes(8), protocol=17)),
    "encrypted": writer.link("ethernet", writer.ip(*V6, bytes(20), protocol=50)),
    "PPPoE control": writer.link("pppoe", b"\x45" + bytes(60)).replace(b"\x00\x21", b"\xc0\x21"),
    "IP of version 5": writer.link("ethernet", b"\x55" + bytes(60)),
    "spanning tree": bytes(12) + b"\x00\x26" + bytes(46),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_everything_else_is_counted_as_no_tcp(data: bytes) -> None:
    assert parse_packet(captured(data)) == tally.NOT_TCP


IP_IN_IP = writer.ip(*V4, b"", protocol=4, no_length=True)
TUNNELS = {
    "IP in IP": writer.link("ethernet", IP_IN_IP * 3000 + writer.ip(*V4, writer.tcp(sent(V4)))),
    "ISL in ISL": (b"\x01\0\x0c\0\0" + bytes(21)) * 3000,
    "MPLS with nothing behind it": bytes(12) + b"\x88\x47" + bytes(3) + b"\x01",
}


@pytest.mark.parametrize("data", TUNNELS.values(), ids=TUNNELS)
def test_what_else_dpkt_would_go_into_is_counted_as_no_tcp(data: bytes) -> None:
    assert parse_packet(captured(data)) == tally.NOT_TCP


def test_an_unknown_link_type_is_counted_as_no_tcp() -> None:
    assert parse_packet(captured(bytes(60), 105)) == tally.NOT_TCP


def test_headers_that_are_cut_or_impossible_are_counted() -> None:
    (frame,) = writer.frames([sent(V4)])
    for size in range(12, 14 + 20 + 20):
        packet = captured(frame.data[:size], length=len(frame.data))
        assert parse_packet(packet) == tally.CUT_HEADER
    without_payload = captured(frame.data[: 14 + 20 + 20], length=len(frame.data))
    assert parse_packet(without_payload) == segment(V4, b"", len(PAYLOAD))
    no_offset = frame.data[:46] + b"\0" + frame.data[47:]
    too_short = frame.data[:16] + b"\0\x15" + frame.data[18:]
    no_header = frame.data[:14] + b"\x40" + frame.data[15:]
    offset_beyond = frame.data[:46] + b"\xf0" + frame.data[47:]
    for data in (no_offset, too_short, no_header, offset_beyond):
        assert parse_packet(captured(data)) == tally.CUT_HEADER


def test_a_dns_answer_gives_the_addresses_of_the_name_that_was_asked_for() -> None:
    frame = writer.dns_answer("Prod.SolarEdge.com", ["203.0.113.10", "2001:db8::10"])
    packed = tuple(ipaddress.ip_address(a).packed for a in ("203.0.113.10", "2001:db8::10"))
    assert parse_packet(captured(frame.data)) == Answer("prod.solaredge.com", packed)


def test_a_dns_answer_without_addresses_is_nothing() -> None:
    frame = writer.dns_answer("prod.solaredge.com", [])
    assert parse_packet(captured(frame.data)) == tally.NOT_TCP


@given(
    cut=st.integers(0, 140),
    flips=st.lists(st.tuples(st.integers(14, 140), st.integers(1, 255)), max_size=5),
)
def test_a_damaged_dns_answer_raises_nothing(cut: int, flips: list[tuple[int, int]]) -> None:
    data = bytearray(writer.dns_answer("prod.solaredge.com", ["203.0.113.10"]).data)
    for at, change in flips:
        data[at % len(data)] ^= change
    found = parse_packet(captured(bytes(data[:cut]), length=len(data)))
    assert isinstance(found, Answer | Segment | str)


@given(data=st.binary(max_size=80), link_type=st.sampled_from(sorted({*writer.LINKS.values(), 12})))
def test_nonsense_raises_nothing(data: bytes, link_type: int) -> None:
    assert isinstance(parse_packet(captured(data, link_type)), Segment | str)

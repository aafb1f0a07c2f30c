"""From a captured packet to its TCP segment or its DNS answer.

Strategy: one walk down the headers, each at a fixed place behind the one above. dpkt is left to
what is intricate, the names in DNS answers: as a whole its classes parse eagerly what is inside,
so that crafted packets end in RecursionError or AttributeError and fragments are taken for TCP;
one by one they save no code, for what counts here (lengths as sent and as captured, tags in any
order, fragments) they leave to us. (dpkt 1.9.8)

Link types: https://www.tcpdump.org/linktypes.html
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import dpkt

from se.capture import tally
from se.capture.layouts import Packet
from se.capture.segment import Direction, Segment

_NULL, _ETHERNET, _SLL, _LOOP, _SLL2 = 0, 1, 113, 108, 276
_RAW_IP = frozenset((12, 101, 228, 229))
# Where the type of the contents stands, and where the contents begin.
_TYPE_AND_START = {_ETHERNET: (12, 14), _SLL: (14, 16), _SLL2: (0, 20)}

_VLAN_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
_PPPOE = 0x8864
_IP_TYPES = frozenset((0x0800, 0x86DD))
_PPP_IP_TYPES = frozenset((0x0021, 0x0057))

_TCP, _UDP = 6, 17
_HOP_OPTIONS, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS = 0, 43, 44, 60
_DNS_PORT = 53
_TCP_HEADER = struct.Struct(">HHIxxxxBB")


class Answer(NamedTuple):
    """The addresses (4 or 16 bytes each) that a DNS answer gives for a name (lower case)."""

    name: str
    addresses: tuple[bytes, ...]


class _Transport(NamedTuple):
    """What IP says about the segment or datagram in it."""

    protocol: int
    source: bytes
    dest: bytes
    start: int
    length: int  # as sent


def parse_packet(packet: Packet) -> Segment | Answer | str:
    """The packet's TCP segment or DNS answer; else the reason (se.capture.tally) for neither."""
    try:
        start = _ip_start(packet)
        if start is None:
            return tally.NOT_TCP
        found = _parse_ip(packet, start)
        if isinstance(found, str):
            return found
        if found.protocol == _TCP:
            return _parse_tcp(packet, found)
        return _parse_udp(packet, found) or tally.NOT_TCP
    except (IndexError, struct.error):
        return tally.CUT_HEADER


def _ip_start(packet: Packet) -> int | None:
    """Where the IP header begins, if there is one."""
    data = packet.data
    if packet.link_type in _RAW_IP:
        return 0
    if packet.link_type in (_NULL, _LOOP):
        return 4
    if packet.link_type not in _TYPE_AND_START:
        return None
    at, start = _TYPE_AND_START[packet.link_type]
    kind = _u16(data, at)
    while kind in _VLAN_TAGS:
        kind = _u16(data, start + 2)
        start += 4
    if kind == _PPPOE:
        return start + 8 if _u16(data, start + 6) in _PPP_IP_TYPES else None
    return start if kind in _IP_TYPES else None


def _parse_ip(packet: Packet, start: int) -> _Transport | str:
    version = packet.data[start] >> 4
    if version == 4:
        return _parse_ip4(packet, start)
    return _parse_ip6(packet, start) if version == 6 else tally.NOT_TCP


def _parse_ip4(packet: Packet, start: int) -> _Transport | str:
    data = packet.data
    if _u16(data, start + 6) & 0x3FFF:  # more fragments, or an offset
        return tally.FRAGMENT
    header = (data[start] & 0x0F) * 4
    if header < 20:
        return tally.CUT_HEADER
    # 0 is what a network card that cuts the segments itself is given: then all there is counts
    total = _u16(data, start + 2) or packet.length - start
    source, dest = _addresses(data, start + 12, 4)
    return _Transport(data[start + 9], source, dest, start + header, total - header)


def _parse_ip6(packet: Packet, start: int) -> _Transport | str:
    data = packet.data
    protocol = data[start + 6]
    source, dest = _addresses(data, start + 8, 16)
    at = start + 40
    end = at + (_u16(data, start + 4) or packet.length - at)
    while protocol in (_HOP_OPTIONS, _ROUTING, _DESTINATION_OPTIONS):
        protocol, at = data[at], at + 8 + 8 * data[at + 1]
    if protocol == _FRAGMENT:
        return tally.FRAGMENT
    return _Transport(protocol, source, dest, at, end - at)


def _addresses(data: bytes, at: int, size: int) -> tuple[bytes, bytes]:
    source, dest = data[at : at + size], data[at + size : at + 2 * size]
    if len(dest) < size:
        raise IndexError
    return source, dest


def _parse_tcp(packet: Packet, ip: _Transport) -> Segment | str:
    source_port, dest_port, sequence, offset, flags = _TCP_HEADER.unpack_from(packet.data, ip.start)
    header = (offset >> 4) * 4
    length = ip.length - header
    if length < 0 or header < 20:
        return tally.CUT_HEADER
    start = ip.start + header
    payload = packet.data[start : start + length]
    direction = Direction(ip.source, source_port, ip.dest, dest_port)
    return Segment(packet.time, direction, sequence, flags, payload, length)


def _parse_udp(packet: Packet, ip: _Transport) -> Answer | None:
    """The addresses in a DNS answer; None for everything else."""
    if ip.protocol != _UDP or _u16(packet.data, ip.start) != _DNS_PORT:
        return None
    try:
        message = dpkt.dns.DNS(packet.data[ip.start + 8 : ip.start + ip.length])
        name = message.qd[0].name
    except (dpkt.Error, IndexError, struct.error, UnicodeDecodeError):
        return None
    kinds = (dpkt.dns.DNS_A, dpkt.dns.DNS_AAAA)
    addresses = tuple(
        answer.rdata
        for answer in message.an
        if answer.type in kinds and len(answer.rdata) in (4, 16)
    )
    return Answer(name.lower(), addresses) if addresses else None


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]

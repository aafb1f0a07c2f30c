"""From a captured packet to its TCP segment or its DNS answer.

Strategy: dpkt parses the headers, one class a layer, from the outside inwards. By themselves its
classes go on into whatever they recognise, tunnels in tunnels and fragments too: that takes twice
the time, and crafted packets make them raise RecursionError, IndexError and AttributeError. So
each is taken without what it does about its contents, and only what may lead to TCP or DNS is gone
on with. What dpkt cannot do stands beside it: tags in any number behind any link layer, where the
payload of IP begins and ends, and lengths as sent. (dpkt 1.9.8)

Link types: https://www.tcpdump.org/linktypes.html
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import dpkt

from se.capture import tally
from se.capture.formats import Packet
from se.capture.segment import Direction, Segment


def _header(layer: Any) -> Any:
    """A class of dpkt that parses its header alone; what is behind it stays bytes, in `data`.

    What is too short raises struct.error: dpkt's own making of an object takes a fourth longer.
    """
    fields = {name: getattr(layer, name, None) for name in ("__hdr__", "__bit_fields__")}
    return type(layer.__name__, (dpkt.Packet,), {**fields, "__init__": dpkt.Packet.unpack})


def _with_extensions(layer: Any) -> Any:
    """The same of one whose header has no fixed length; it raises UnpackError."""
    return type(layer.__name__, (layer,), {"_protosw": {}})


# The header of each link type, and its field that tells what the contents are.
_LINKS = {
    1: (_header(dpkt.ethernet.Ethernet), "type"),
    113: (_header(dpkt.sll.SLL), "ethtype"),
    276: (_header(dpkt.sll2.SLL2), "ethtype"),
}
# Link types that hold nothing but IP: null and loop behind 4 bytes, the raw ones as it is.
_IP_AT = {0: 4, 108: 4, 12: 0, 101: 0, 228: 0, 229: 0}

_Tag = _header(dpkt.ethernet.VLANtag8021Q)
_PPPoE = _header(dpkt.pppoe.PPPoE)
_PPP = _with_extensions(dpkt.pppoe.PPP)
_IP4 = _header(dpkt.ip.IP)
_IP6 = _with_extensions(dpkt.ip6.IP6)
_TCP = _header(dpkt.tcp.TCP)

_VLAN_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
_PPPOE_TYPE = 0x8864
_IP_TYPES = frozenset((0x0800, 0x86DD))
_PPP_IP_TYPES = frozenset((0x0021, 0x0057))
_TCP_PROTOCOL, _UDP_PROTOCOL, _FRAGMENT = 6, 17, 44
_DNS_PORT = 53


class Answer(NamedTuple):
    """The addresses (4 or 16 bytes each) that a DNS answer gives for a name (lower case)."""

    name: str
    addresses: tuple[bytes, ...]


def parse_packet(packet: Packet) -> Segment | Answer | str:
    """The packet's TCP segment or DNS answer; else the reason (se.capture.tally) for neither."""
    try:
        data = _parse_link(packet)
        return tally.NOT_TCP if data is None else _parse_ip(packet, data)
    except (dpkt.UnpackError, struct.error, IndexError):
        return tally.CUT_HEADER


def _parse_link(packet: Packet) -> bytes | None:
    """The IP packet, and the padding behind it; None where the contents are something else."""
    if packet.link_type in _IP_AT:
        return packet.data[_IP_AT[packet.link_type] :]
    if packet.link_type not in _LINKS:
        return None
    header, field = _LINKS[packet.link_type]
    layer = header(packet.data)
    kind = getattr(layer, field)
    while kind in _VLAN_TAGS:
        layer = _Tag(layer.data)
        kind = layer.type
    is_ip = kind in _IP_TYPES
    if kind == _PPPOE_TYPE:
        layer = _PPP(_PPPoE(layer.data).data)
        is_ip = layer.p in _PPP_IP_TYPES
    data: bytes = layer.data
    return data if is_ip else None


def _parse_ip(packet: Packet, data: bytes) -> Segment | Answer | str:
    version = data[0] >> 4
    if version == 4:
        ip = _IP4(data)
        is_fragment = ip.mf or ip.offset
        start, end, protocol = 4 * ip.hl, ip.len, ip.p
    elif version == 6:
        if data[6] == _FRAGMENT:  # an AttributeError, where more headers follow
            return tally.FRAGMENT
        ip = _IP6(data)
        is_fragment = _FRAGMENT in ip.extension_hdrs
        start = ip.__hdr_len__ + sum(each.length for each in ip.all_extension_headers)
        end = ip.plen and ip.__hdr_len__ + ip.plen
        protocol = getattr(ip, "p", None)  # none where it is encrypted
    else:
        return tally.NOT_TCP
    if is_fragment:
        return tally.FRAGMENT
    if not end:  # for a network card that cuts the segments itself: then all there is counts
        end = len(data) + packet.length - len(packet.data)
    if start < ip.__hdr_len__:
        return tally.CUT_HEADER
    if protocol == _TCP_PROTOCOL:
        return _parse_tcp(packet, ip, data[start:end], end - start)
    return _parse_dns(data[start:end]) if protocol == _UDP_PROTOCOL else tally.NOT_TCP


def _parse_tcp(packet: Packet, ip: Any, data: bytes, length: int) -> Segment | str:
    """The segment in an IP packet; it was `length` bytes long when it was sent."""
    tcp = _TCP(data)
    header = 4 * tcp.off
    if not tcp.__hdr_len__ <= header <= length:
        return tally.CUT_HEADER
    direction = Direction(ip.src, tcp.sport, ip.dst, tcp.dport)
    return Segment(packet.time, direction, tcp.seq, tcp.flags, data[header:], length - header)


def _parse_dns(data: bytes) -> Answer | str:
    """The addresses in a DNS answer; everything else is of no use."""
    udp = dpkt.udp.UDP(data)
    if udp.sport != _DNS_PORT:
        return tally.NOT_TCP
    try:
        message = dpkt.dns.DNS(udp.data)
        name = message.qd[0].name
    except (dpkt.Error, IndexError, struct.error, UnicodeDecodeError):
        return tally.NOT_TCP
    kinds = (dpkt.dns.DNS_A, dpkt.dns.DNS_AAAA)
    addresses = tuple(
        answer.rdata
        for answer in message.an
        if answer.type in kinds and len(answer.rdata) in (4, 16)
    )
    return Answer(name.lower(), addresses) if addresses else tally.NOT_TCP

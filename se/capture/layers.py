"""From a captured packet to its TCP segment or its DNS answer.

Strategy: dpkt parses the headers, one class a layer, from the outside inwards. By themselves its
classes go on into whatever they recognise, tunnels in tunnels and fragments too, where crafted
packets make them raise RecursionError or IndexError; so each is taken without what it does about
its contents, and only what may lead to TCP or DNS is gone on with. What dpkt cannot do stands
beside it: tags in any number behind any link layer, and lengths as sent. (dpkt 1.9.8)

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
    """A class of dpkt that parses its header alone; the contents stay bytes, in `data`."""
    return type(layer.__name__, (dpkt.Packet,), {"__hdr__": layer.__hdr__})


def _with_options(layer: Any) -> Any:
    """The same of one whose header has no fixed length."""
    return type(layer.__name__, (layer,), {"_protosw": {}})


# The header of each link type, and its field that tells what the contents are.
_LINKS = {
    1: (_header(dpkt.ethernet.Ethernet), "type"),
    113: (_header(dpkt.sll.SLL), "ethtype"),
    276: (_header(dpkt.sll2.SLL2), "ethtype"),
}
# Link types that hold nothing but IP: null and loop behind 4 bytes, the raw ones as it is.
_IP_AT = {0: 4, 108: 4, 12: 0, 101: 0, 228: 0, 229: 0}
_VLAN_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
_IP_TYPES = frozenset((0x0800, 0x86DD))
_PPP_IP_TYPES = frozenset((0x0021, 0x0057))
_DNS_PORT = 53

_Tag = _header(dpkt.ethernet.VLANtag8021Q)
_PPPoE = _header(dpkt.pppoe.PPPoE)
_PPP = _with_options(dpkt.pppoe.PPP)
_IP4 = _with_options(dpkt.ip.IP)
_IP6 = _with_options(dpkt.ip6.IP6)


class Answer(NamedTuple):
    """The addresses (4 or 16 bytes each) that a DNS answer gives for a name (lower case)."""

    name: str
    addresses: tuple[bytes, ...]


def parse_packet(packet: Packet) -> Segment | Answer | str:
    """The packet's TCP segment or DNS answer; else the reason (se.capture.tally) for neither."""
    try:
        data = _parse_link(packet)
        return tally.NOT_TCP if data is None else _parse_ip(packet, data)
    except (dpkt.UnpackError, IndexError):
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
    if kind == dpkt.ethernet.ETH_TYPE_PPPoE:
        layer = _PPP(_PPPoE(layer.data).data)
        is_ip = layer.p in _PPP_IP_TYPES
    return bytes(layer.data) if is_ip else None


def _parse_ip(packet: Packet, data: bytes) -> Segment | Answer | str:
    version = data[0] >> 4
    if version == 4:
        ip = _IP4(data)
        is_fragment = ip.mf or ip.offset
        header, total = 4 * ip.hl, ip.len
    elif version == 6:
        if data[6] == dpkt.ip.IP_PROTO_FRAGMENT:  # an AttributeError, where more headers follow
            return tally.FRAGMENT
        ip = _IP6(data)
        is_fragment = dpkt.ip.IP_PROTO_FRAGMENT in ip.extension_hdrs
        header = ip.__hdr_len__ + sum(each.length for each in ip.all_extension_headers)
        total = ip.plen and ip.__hdr_len__ + ip.plen
    else:
        return tally.NOT_TCP
    if is_fragment:
        return tally.FRAGMENT
    # 0 is what a network card that cuts the segments itself is given: then all there is counts
    length = (total or packet.length - len(packet.data) + len(data)) - header
    protocol = getattr(ip, "p", None)  # none where it is encrypted
    if protocol == dpkt.ip.IP_PROTO_TCP:
        return _parse_tcp(packet, ip, length)
    return _parse_dns(ip) if protocol == dpkt.ip.IP_PROTO_UDP else tally.NOT_TCP


def _parse_tcp(packet: Packet, ip: Any, length: int) -> Segment | str:
    """The segment in an IP packet whose payload was `length` bytes long when it was sent."""
    tcp = dpkt.tcp.TCP(ip.data)
    length -= 4 * tcp.off
    if length < 0:
        return tally.CUT_HEADER
    direction = Direction(ip.src, tcp.sport, ip.dst, tcp.dport)
    return Segment(packet.time, direction, tcp.seq, tcp.flags, tcp.data[:length], length)


def _parse_dns(ip: Any) -> Answer | str:
    """The addresses in a DNS answer; everything else is of no use."""
    udp = dpkt.udp.UDP(ip.data)
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

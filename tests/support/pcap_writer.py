"""Makes packet captures for tests: connections, what networks do to them, links, file formats.

A `Connection` writes the segments of a TCP conversation; `cut_randomly`, `shuffle` and `repeat`
do to them what networks do; `frame` puts each into a link layer; `pcap` and `pcapng` make files.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
T0 = 1_700_000_000.0
PROD = "203.0.113.10"


class Segment(NamedTuple):
    """A TCP segment, not yet in a packet."""

    time: float
    source: str
    source_port: int
    dest: str
    dest_port: int
    sequence: int
    ack: int
    flags: int
    payload: bytes = b""


class Frame(NamedTuple):
    """A captured packet: with its link layer, perhaps cut; `length` is that on the wire."""

    time: float
    data: bytes
    length: int


class Connection:
    """A TCP connection from an inverter to the server."""

    def __init__(
        self,
        client: str = "192.168.1.20",
        client_port: int = 4711,
        server: str = PROD,
        server_port: int = 22222,
        *,
        time: float = T0,
        first: tuple[int, int] = (1000, 900_000),
    ):
        self.ends = ((client, client_port), (server, server_port))
        self.time = time
        self.sequence = list(first)

    def segment(self, side: int, flags: int, payload: bytes = b"", step: float = 0.01) -> Segment:
        """The next segment of the client (0) or the server (1)."""
        (source, source_port), (dest, dest_port) = self.ends[side], self.ends[1 - side]
        sequence, ack = self.sequence[side], self.sequence[1 - side]
        self.sequence[side] = (sequence + len(payload) + bool(flags & (SYN | FIN))) % 2**32
        self.time += step
        return Segment(
            self.time, source, source_port, dest, dest_port, sequence, ack, flags, payload
        )

    def open(self) -> list[Segment]:
        """The handshake."""
        return [self.segment(0, SYN), self.segment(1, SYN | ACK), self.segment(0, ACK)]

    def send(self, *payloads: bytes, step: float = 0.01) -> list[Segment]:
        """Segments from the inverter to the server, one for each payload."""
        return [self.segment(0, PSH | ACK, payload, step) for payload in payloads]

    def answer(self, *payloads: bytes, step: float = 0.01) -> list[Segment]:
        """Segments from the server."""
        return [self.segment(1, PSH | ACK, payload, step) for payload in payloads]

    def close(self) -> list[Segment]:
        """Both sides end the connection."""
        return [self.segment(0, FIN | ACK), self.segment(1, FIN | ACK), self.segment(0, ACK)]


def cut_randomly(data: bytes, rng: random.Random, largest: int = 1400) -> list[bytes]:
    """The bytes in pieces of 1 to `largest`."""
    pieces = []
    while data:
        size = rng.randint(1, largest)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def shuffle(segments: list[Segment], rng: random.Random, share: float = 0.05) -> list[Segment]:
    """Let a share of the segments with data arrive up to three places late."""
    places = [
        (i + (rng.randint(1, 3) + 0.5 if s.payload and rng.random() < share else 0), s)
        for i, s in enumerate(segments)
    ]
    arrived = [segment for _, segment in sorted(places, key=lambda place: place[0])]
    return [s._replace(time=old.time) for s, old in zip(arrived, segments, strict=True)]


def repeat(segments: list[Segment], rng: random.Random, share: float = 0.05) -> list[Segment]:
    """Send a share of the segments with data again, some of them with what came before them."""
    result: list[Segment] = []
    for segment in segments:
        result.append(segment)
        if segment.payload and rng.random() < share:
            result.append(segment._replace(time=segment.time + 0.001))
    return result


def merge(*conversations: Iterable[Segment]) -> list[Segment]:
    """The segments of several connections in the order of time."""
    return sorted((s for each in conversations for s in each), key=lambda s: s.time)


def tcp(segment: Segment, options: bytes = b"") -> bytes:
    """The segment's TCP header, options (a multiple of 4 bytes) and payload."""
    offset = 5 + len(options) // 4
    header = struct.pack(
        ">HHIIBBHHH",
        segment.source_port,
        segment.dest_port,
        segment.sequence,
        segment.ack,
        offset << 4,
        segment.flags,
        8192,
        0,
        0,
    )
    return header + options + segment.payload


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip(
    source: str,
    dest: str,
    payload: bytes,
    *,
    protocol: int = 6,
    options: bytes = b"",
    fragment: int = 0,
    no_length: bool = False,
) -> bytes:
    """An IPv4 or IPv6 packet, by the form of the addresses.

    `options` are IPv4 options or the 8n bytes of an IPv6 extension header, of which the first two
    are set; `fragment` is the field with the flags and the offset.
    """
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(dest).packed
    if len(addresses) == 32:
        kind = 44 if fragment else 0
        extension = bytes([protocol, len(options) // 8 - 1]) + options[2:] if options else b""
        length = 0 if no_length else len(extension) + len(payload)
        header = struct.pack(">IHBB", 6 << 28, length, kind if options else protocol, 64)
        return header + addresses + extension + payload
    size = 20 + len(options)
    length = 0 if no_length else size + len(payload)
    header = struct.pack(
        ">BBHHHBBH", 0x40 | size // 4, 0, length, 1, fragment or 0x4000, 64, protocol, 0
    )
    header += addresses + options
    return header[:10] + struct.pack(">H", _checksum(header)) + header[12:] + payload


ETHERNET, SLL, SLL2, RAW, NULL, LOOP = 1, 113, 276, 101, 0, 108
LINKS = {
    "ethernet": ETHERNET,
    "vlan": ETHERNET,
    "qinq": ETHERNET,
    "two_vlans": ETHERNET,
    "pppoe": ETHERNET,
    "sll": SLL,
    "sll2": SLL2,
    "raw": RAW,
    "ipv4": 228,
    "ipv6": 229,
    "null": NULL,
    "loop": LOOP,
}
_MACS = bytes.fromhex("0a0000000001002702123456")


def link(kind: str, packet: bytes) -> bytes:
    """An IP packet in the link layer of this kind."""
    v6 = packet[0] >> 4 == 6
    ether = b"\x86\xdd" if v6 else b"\x08\x00"
    header = {
        "ethernet": _MACS + ether,
        "vlan": _MACS + b"\x81\x00\x00\x07" + ether,
        "qinq": _MACS + b"\x88\xa8\x00\x07\x81\x00\x00\x08" + ether,
        "two_vlans": _MACS + b"\x81\x00\x00\x07\x81\x00\x00\x08" + ether,
        "pppoe": _MACS
        + struct.pack(">HBBHHH", 0x8864, 0x11, 0, 1, len(packet) + 2, 0x57 if v6 else 0x21),
        "sll": b"\0\0\0\1\0\6" + _MACS[:6] + b"\0\0" + ether,
        "sll2": ether + b"\0\0\0\0\0\3\0\1\0\6" + _MACS[:6] + b"\0\0",
        "raw": b"",
        "ipv4": b"",
        "ipv6": b"",
        "null": struct.pack("<I", 30 if v6 else 2),
        "loop": struct.pack(">I", 30 if v6 else 2),
    }[kind]
    padding = bytes(max(0, 60 - len(header) - len(packet))) if header[:12] == _MACS else b""
    return header + packet + padding


def frames(
    segments: Iterable[Segment], kind: str = "ethernet", snap_length: int = 0, **headers: bytes
) -> Iterator[Frame]:
    """The segments in packets; `headers` may give ip_options and tcp_options."""
    for segment in segments:
        inner = tcp(segment, headers.get("tcp_options", b""))
        packet = ip(segment.source, segment.dest, inner, options=headers.get("ip_options", b""))
        data = link(kind, packet)
        yield Frame(segment.time, data[: snap_length or len(data)], len(data))


def dns_answer(
    name: str, addresses: Iterable[str], time: float = T0, kind: str = "ethernet"
) -> Frame:
    """What a name server says of a name, by way of a second name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    packed = [ipaddress.ip_address(address).packed for address in addresses]
    alias = b"\5alias\3net\0"
    message = struct.pack(">HHHHHH", 7, 0x8180, 1, 1 + len(packed), 0, 0)
    message += labels + b"\0\1\0\1"
    message += b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, len(alias)) + alias
    for address in packed:
        record_type = 1 if len(address) == 4 else 28
        message += alias + struct.pack(">HHIH", record_type, 1, 60, len(address)) + address
    udp = struct.pack(">HHHH", 53, 5353, 8 + len(message), 0) + message
    data = link(kind, ip("192.168.1.1", "192.168.1.20", udp, protocol=17))
    return Frame(time, data, len(data))


def pcap(
    captured: Iterable[Frame],
    link_type: int = ETHERNET,
    *,
    order: str = "<",
    fractions: int = 1_000_000,
    fritz_box: bool = False,
) -> bytes:
    """A capture in the classic format."""
    magic = {1_000_000: 0xA1B2C3D4, 1_000_000_000: 0xA1B23C4D}[fractions]
    magic = 0xA1B2CD34 if fritz_box else magic
    file = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)]
    for frame in captured:
        seconds = int(frame.time)
        fraction = round((frame.time - seconds) * fractions)
        file.append(struct.pack(order + "IIII", seconds, fraction, len(frame.data), frame.length))
        if fritz_box:
            file.append(struct.pack(order + "IHBx", 3, 0x0800, 4))
        file.append(frame.data)
    return b"".join(file)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def section(order: str = "<") -> bytes:
    """The block that begins a pcapng section."""
    options = struct.pack(order + "HH", 4, 4) + b"test" + struct.pack(order + "HH", 0, 0)
    head = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(0x0A0D0D0A, head + options, order)


def interface(
    link_type: int,
    order: str = "<",
    *,
    resolution: int | None = None,
    offset: int = 0,
    snap_length: int = 0,
) -> bytes:
    """The block that describes an interface; `resolution` as in if_tsresol."""
    body = struct.pack(order + "HHI", link_type, 0, snap_length)
    body += struct.pack(order + "HH", 2, 3) + b"eth\0"
    if resolution is not None:
        body += struct.pack(order + "HHBxxx", 9, 1, resolution)
    if offset:
        body += struct.pack(order + "HHq", 14, 8, offset)
    return block(1, body + struct.pack(order + "HH", 0, 0), order)


def enhanced_packet(
    frame: Frame, order: str = "<", *, number: int = 0, fractions: int = 1_000_000, offset: int = 0
) -> bytes:
    """The block of a packet."""
    ticks = round((frame.time - offset) * fractions)
    head = struct.pack(
        order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame.data), frame.length
    )
    return block(6, head + frame.data, order)


def pcapng(captured: Iterable[Frame], link_type: int = ETHERNET, *, order: str = "<") -> bytes:
    """A capture of one section and interface, with a block of another kind in it."""
    start = section(order) + interface(link_type, order) + block(5, bytes(16), order)
    return start + b"".join(enhanced_packet(frame, order) for frame in captured)

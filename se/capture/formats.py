"""The formats of capture files: how records follow one another, and what a record holds.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, and for Fritz!Box captures the
"modified" format of libpcap's savefile readers.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

MAGIC_LENGTH = 4
# What libpcap and Wireshark take for the largest packet and the largest pcapng block.
MAX_PACKET = 1 << 18
MAX_BLOCK = 1 << 24

# Magic number in the file's own byte order: fractions of a second, record header behind the time.
_PCAP_VARIANTS = {
    0xA1B2C3D4: (1_000_000, "II"),
    0xA1B23C4D: (1_000_000_000, "II"),
    0xA1B2CD34: (1_000_000, "IIIHBx"),  # Fritz!Box: interface, protocol, kind of packet
}
_PCAP_HEADER_LENGTH = 24
_LINK_TYPE = 0x03FFFFFF  # the bits above tell the length of a frame check sequence

_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_BLOCK_FRAME = 12  # type, total length, and the total length again at the end
_IF_TSRESOL, _IF_TSOFFSET = 9, 14


class Packet(NamedTuple):
    """One captured packet: seconds UTC, LINKTYPE_ number, what was captured, length on the wire."""

    time: float
    link_type: int
    data: bytes
    length: int


class FileFormat(Protocol):
    """How the records of one kind of file follow one another."""

    def next_record(self, data: bytes, at: int) -> tuple[int, Packet | None] | None:
        """The record at `at`: where the next one begins, and its packet, if it holds one.

        None: the record is not all there yet. Raises ValueError where it cannot be a record.
        """


class _Pcap:
    """The classic format: a file header, then records of one link type."""

    def __init__(self, order: str, magic: int):
        self._order = order
        self._fractions, rest = _PCAP_VARIANTS[magic]
        self._record = struct.Struct(order + "II" + rest)
        self._link_type: int | None = None

    def next_record(self, data: bytes, at: int) -> tuple[int, Packet | None] | None:
        if self._link_type is None:
            if len(data) < at + _PCAP_HEADER_LENGTH:
                return None
            (network,) = struct.unpack_from(self._order + "20xI", data, at)
            self._link_type = network & _LINK_TYPE
            return at + _PCAP_HEADER_LENGTH, None
        start = at + self._record.size
        if len(data) < start:
            return None
        seconds, fraction, captured, length = self._record.unpack_from(data, at)[:4]
        if captured > MAX_PACKET or length == captured == 0:
            raise ValueError(f"a packet of {captured} bytes")
        end = start + captured
        if len(data) < end:
            return None
        time = seconds + fraction / self._fractions
        return end, Packet(time, self._link_type, data[start:end], length)


class _Interface(NamedTuple):
    """What a pcapng section says about one interface: its times are `offset` + n / `fractions`."""

    link_type: int
    snap_length: int
    fractions: int
    offset: int

    def packet(self, high: int, low: int, data: bytes, length: int) -> Packet:
        time = self.offset + (high << 32 | low) / self.fractions
        return Packet(time, self.link_type, data, length)


class _Pcapng:
    """Blocks in sections; each section has its own byte order and its own interfaces."""

    def __init__(self) -> None:
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._time = 0.0

    def next_record(self, data: bytes, at: int) -> tuple[int, Packet | None] | None:
        if len(data) < at + _BLOCK_FRAME:
            return None
        if data[at : at + MAGIC_LENGTH] == _SECTION_HEADER.to_bytes(4, "big"):
            self._begin_section(data, at)
        kind, total = struct.unpack_from(self._order + "II", data, at)
        if total < _BLOCK_FRAME or total % 4 or total > MAX_BLOCK:
            raise ValueError(f"a block of {total} bytes")
        end = at + total
        if len(data) < end:
            return None
        if struct.unpack_from(self._order + "I", data, end - 4) != (total,):
            raise ValueError("a block that does not end with its length")
        try:
            return end, self._block(kind, data[at + 8 : end - 4])
        except (struct.error, IndexError):
            raise ValueError("a block with contents that do not fit in it") from None

    def _begin_section(self, data: bytes, at: int) -> None:
        for order in "<>":
            if struct.unpack_from(order + "I", data, at + 8) == (_BYTE_ORDER_MAGIC,):
                self._order = order
                self._interfaces = []
                return
        raise ValueError("a section without a byte order")

    def _block(self, kind: int, body: bytes) -> Packet | None:
        if kind == _INTERFACE:
            self._interfaces.append(self._interface(body))
            return None
        if kind == _ENHANCED_PACKET:
            number, high, low, captured, length = self._unpack("IIIII", body)
        elif kind == _OLD_PACKET:
            number, _, high, low, captured, length = self._unpack("HHIIII", body)
        elif kind == _SIMPLE_PACKET:
            return self._simple_packet(body)
        else:
            return None
        data = _cut(body, 20, captured)
        packet = self._interfaces[number].packet(high, low, data, length)
        self._time = packet.time
        return packet

    def _simple_packet(self, body: bytes) -> Packet:
        """A packet of the first interface; it has no time, so it gets that of the one before."""
        (length,) = self._unpack("I", body)
        interface = self._interfaces[0]
        captured = min(length, interface.snap_length or length)
        return Packet(self._time, interface.link_type, _cut(body, 4, captured), length)

    def _interface(self, body: bytes) -> _Interface:
        link_type, _, snap_length = self._unpack("HHI", body)
        fractions, offset = 1_000_000, 0
        at = 8
        while at + 4 <= len(body):
            code, size = struct.unpack_from(self._order + "HH", body, at)
            value = body[at + 4 : at + 4 + size]
            if code == _IF_TSRESOL:
                fractions = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _IF_TSOFFSET:
                (offset,) = self._unpack("q", value)
            at += 4 + size + -size % 4
        return _Interface(link_type, snap_length, fractions, offset)

    def _unpack(self, code: str, body: bytes) -> tuple[int, ...]:
        return struct.unpack_from(self._order + code, body)


def _cut(body: bytes, start: int, captured: int) -> bytes:
    """The packet in a block's body."""
    data = body[start : start + captured]
    if len(data) < captured:
        raise ValueError(f"a packet of {captured} bytes in a block of {len(body)}")
    return data


def format_of(magic: bytes) -> FileFormat | None:
    """The format of a file that begins with these 4 bytes; None where it is no capture."""
    if magic == _SECTION_HEADER.to_bytes(4, "big"):
        return _Pcapng()
    for number in _PCAP_VARIANTS:
        for order in "<>":
            if magic == struct.pack(order + "I", number):
                return _Pcap(order, number)
    return None

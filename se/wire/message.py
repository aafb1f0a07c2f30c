"""One message of the protocol: a header, a payload, a checksum.

`Message.parse` and `Message.to_bytes` are inverse to each other. A message is immutable, and equal
to another that has the same bytes, which is how a repeated one is known.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

from se.wire.crc import crc16
from se.wire.functions import function_name

MAGIC = b"\x12\x34\x56\x79"
_HEADER = struct.Struct("<4sHHHLLH")  # magic, length, its inverse, sequence, source, dest, function
_CHECKED = struct.Struct(">HLLH")  # the part of the header under the checksum: big-endian there
_CHECKSUM = struct.Struct("<H")

HEADER_SIZE = _HEADER.size
OVERHEAD = HEADER_SIZE + _CHECKSUM.size
MAX_PAYLOAD = 0xFFFF
MAX_SEQUENCE = 0xFFFF

SERVER = 0xFFFFFFFE  # the vendor's server, or the RS485 master
ENCRYPTED_SERVER = 0xFFFFFFFD
BROADCAST = 0xFFFFFFFF
FIRST_ROLE = 0xFFFFFF00  # from here on an address is a role such as these, and no inverter


class Reason(Enum):
    """Why bytes were discarded; the value is the word for it in logs and summaries."""

    NOISE = "noise"  # no magic number there
    LENGTH = "length"  # the length and its inverse do not agree
    CHECKSUM = "checksum"
    INCOMPLETE = "incomplete"  # the rest of the message did not come


class MalformedMessageError(ValueError):
    """Bytes are no message; `reason` says why."""

    def __init__(self, reason: Reason):
        super().__init__(reason.value)
        self.reason = reason


class Message(NamedTuple):
    """A message as it is on the wire; addresses are u32, the sequence and the function u16."""

    sequence: int
    source: int
    dest: int
    function: int
    payload: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> Message:
        """The message that `raw` is, from the magic number to the checksum and nothing else.

        Raises MalformedMessageError.
        """
        if not raw.startswith(MAGIC):
            raise MalformedMessageError(Reason.NOISE)
        if len(raw) < OVERHEAD:
            raise MalformedMessageError(Reason.INCOMPLETE)
        size = frame_size(raw)
        if size is None or len(raw) > size:
            raise MalformedMessageError(Reason.LENGTH)
        if len(raw) < size:
            raise MalformedMessageError(Reason.INCOMPLETE)
        _, _, _, sequence, source, dest, function = _HEADER.unpack_from(raw)
        payload = raw[HEADER_SIZE:-2]
        checked = _CHECKED.pack(sequence, source, dest, function) + payload
        if _CHECKSUM.unpack_from(raw, size - 2)[0] != crc16(checked):
            raise MalformedMessageError(Reason.CHECKSUM)
        return cls(sequence, source, dest, function, payload)

    def to_bytes(self) -> bytes:
        """The message as it goes over the wire; a payload has at most `MAX_PAYLOAD` bytes."""
        sequence, source, dest, function, payload = self
        length = len(payload)
        checked = _CHECKED.pack(sequence, source, dest, function) + payload
        header = _HEADER.pack(MAGIC, length, length ^ 0xFFFF, sequence, source, dest, function)
        return header + payload + _CHECKSUM.pack(crc16(checked))

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return OVERHEAD + len(self.payload)

    def __str__(self) -> str:
        return (
            f"{self.source:08x} -> {self.dest:08x} seq {self.sequence:04x}"
            f" {function_name(self.function)}, {self.size} bytes"
        )


def next_sequence(sequence: int) -> int:
    """The sequence number (1..65535) of the next message of a sender."""
    return sequence % MAX_SEQUENCE + 1


def frame_size(data: bytes, start: int = 0) -> int | None:
    """How long the message at `start` claims to be, from its header; None if that is impossible.

    At least `OVERHEAD` bytes must be there.
    """
    _, length, inverse, *_ = _HEADER.unpack_from(data, start)
    return OVERHEAD + length if length ^ inverse == 0xFFFF else None

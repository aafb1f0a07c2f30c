"""The checksum of a message: CRC-16/ARC (polynomial 0x8005 reflected), initial value 0x5A5A."""

from __future__ import annotations

from fastcrc import crc16 as variants

INITIAL = 0x5A5A


def crc16(data: bytes) -> int:
    """The checksum of `data` (0..65535)."""
    return variants.arc(data, INITIAL)

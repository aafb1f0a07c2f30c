"""Record types without a table."""

from __future__ import annotations

import struct

from se.records import RECORD_TYPES
from se.records.field import parse_hex
from se.records.unknown import unknown_table
from tests.support.records import capture, parse, record


def test_unknown_types_are_shown_in_hex() -> None:
    decoded = record(capture(0x0042)[0])
    assert decoded["seType"] == "0x0042"
    assert decoded["devType"] == "Unknown_device_0x0042"
    assert (decoded["seId"], decoded["devLen"]) == ("BE040526", 35)
    assert decoded["Undeciphered_data"] == (
        "05 03 00 00 00 00 00 02 01 00 00 00 00 04 01 00 | 00 00 00 06 01 00 00 00 00 09 01 00 00"
        " 00 00"
    )
    assert parse_hex(decoded["Undeciphered_data"]) == capture(0x0042)[0][12:]
    assert RECORD_TYPES.get(0x0043) is None


def test_an_unknown_record_without_room_for_a_time_keeps_its_bytes() -> None:
    decoded = record(bytes.fromhex("1700 78563412 0300 aabbcc"))
    assert (decoded["dateTime"], decoded["Date"]) == (None, None)
    assert decoded["Undeciphered_data"] == "aa bb cc"


def test_types_without_end_do_not_fill_the_memory() -> None:
    for number in range(0x1000, 0x1000 + 300):
        parse(struct.pack("<HLH", number, 1, 0))
    assert unknown_table.cache_info().currsize == 64

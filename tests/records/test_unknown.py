"""Record types without a table."""

from __future__ import annotations

from se.records.field import parse_hex
from tests.support.records import capture, record


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


def test_an_unknown_record_without_room_for_a_time_keeps_its_bytes() -> None:
    decoded = record(bytes.fromhex("1700 78563412 0300 aabbcc"))
    assert (decoded["dateTime"], decoded["Date"]) == (None, None)
    assert decoded["Undeciphered_data"] == "aa bb cc"

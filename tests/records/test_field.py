"""The kinds of fields: IDs, and bytes in hex."""

from __future__ import annotations

from se.records import format_record
from se.records.field import REST, format_hex
from tests.support.records import record


def test_the_extra_bit_of_an_id_is_cleared() -> None:
    values = {"dateTime": 1, "Inverter": "7F901234"}
    decoded = record(format_record(0x0000, 0x10905678, values))
    assert (decoded["ID"], decoded["Inverter"]) == ("10105678", "7F101234")


def test_no_inverter_is_zero() -> None:
    assert record(format_record(0x0000, 1, {"dateTime": 1, "Inverter": 0}))["Inverter"] == 0


def test_hex_groups_have_sixteen_bytes() -> None:
    assert format_hex(bytes(range(17))) == "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f | 10"
    assert REST.encode is not None and REST.encode("01 | 02") == b"\1\2"

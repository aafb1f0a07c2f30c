"""The tables: widths, names, short and long records, and encoding as the inverse of decoding."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.records import RECORD_TYPES, format_record, format_telemetry
from se.records.table import Table
from se.wire.values import NOT_REPORTED
from tests.support.records import TABLES, capture, parse, record

SIZES = {0x0000: 36, 0x0080: 13, 0x0082: 21, 0x0010: 196, 0x0011: 258, 0x0022: 58, 0x0030: 86}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"0x{table.number:04x}")
def test_the_widths_of_a_table_add_up_to_the_record(table: Table) -> None:
    assert table.size == SIZES.get(table.number, 28)
    assert sum(field.kind.bits for field in table.fields) == 8 * table.size
    assert len(table.encode({})) == table.size


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"0x{table.number:04x}")
def test_the_published_names_are_those_of_a_whole_record(table: Table) -> None:
    decoded = record(format_record(table.number, 0x7F101234, {"dateTime": 1, "recType": 5}))
    assert tuple(decoded) == table.keys
    assert len(set(table.keys)) == len(table.keys)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"0x{table.number:04x}")
def test_a_short_record_gives_the_fields_that_it_has(table: Table) -> None:
    whole = format_record(table.number, 1, {"dateTime": 77, "recType": 5, "batteryId": "B"})
    complete = record(whole)
    for size in range(table.size):
        raw = whole[:6] + struct.pack("<H", size) + whole[8 : 8 + size]
        decoded = record(raw)
        if size >= 4:
            assert decoded["dateTime"] == 77
            assert decoded["Time"] == "00:01:17"
        assert set(decoded) <= set(complete)
        for name in set(decoded) - {"devLen", "dateTime", "Date", "Time"}:
            assert decoded[name] == complete[name]


def test_a_longer_record_is_read_as_far_as_it_is_known() -> None:
    raw = capture(0x0080)[0]
    longer = raw[:6] + struct.pack("<H", 20) + raw[8:] + bytes(7)
    assert record(longer) == record(raw)


def test_not_reported_is_null_in_any_field() -> None:
    values = record(format_record(0x0000, 1, {}))
    assert values.pop("ID") == "1"
    assert set(values.values()) == {None}


def test_a_word_of_bit_fields_is_never_taken_for_not_reported() -> None:
    raw = bytearray(capture(0x0080)[0])
    raw[8 + 6 : 8 + 10] = NOT_REPORTED
    assert record(bytes(raw))["Vmod"] == 0x3FF / 8


def test_every_timestamp_is_possible() -> None:
    for time in (0, 2**31, 2**32 - 1):
        decoded = record(format_record(0x0080, 1, {"dateTime": time}))
        assert decoded["dateTime"] == time
        assert decoded["Date"][:4] in ("1970", "2038", "2106")


def test_times_are_local_and_utc_seconds_stand_beside_them() -> None:
    for utc, local in ((1445734799, "02:59:59"), (1445734800, "02:00:00")):
        decoded = record(format_record(0x0080, 1, {"dateTime": utc}), "Europe/Amsterdam")
        assert (decoded["Time"], decoded["dateTime"]) == (local, utc)


def test_lengths_without_end_do_not_fill_the_memory() -> None:
    table = RECORD_TYPES[0x0080]
    kept = []
    for size in range(300):
        parse(struct.pack("<HLH", 0x0080, 1, size) + bytes(size))
        kept.append(len(table._layouts))
    assert max(kept) == 64


@pytest.mark.parametrize("number", [0x0000, 0x0010, 0x0011, 0x0022, 0x0080, 0x0082])
@given(data=st.data())
def test_decode_is_the_inverse_of_encode(number: int, data: st.DataObject) -> None:
    table = RECORD_TYPES[number]
    values: dict[str, Any] = {"dateTime": data.draw(st.integers(1, 2**32 - 1))}
    for field in table.fields:
        kind = field.kind
        if not field.name or not kind.bits or field.name == "dateTime":
            continue
        if kind.denominator:
            limit = 2 ** (kind.bits - (kind.code == "b"))
            low = -limit if kind.code == "b" else 0
            values[field.name] = data.draw(st.integers(low, limit - 1)) / kind.denominator
        elif kind.code == "f":
            values[field.name] = data.draw(st.floats(0, 1e6, width=32))
        elif kind.code in ("L", "H") and kind.decode is None:
            values[field.name] = data.draw(st.integers(0, 2**kind.bits - 1))
    decoded = record(format_telemetry([(number, 1, values)]))
    for name, value in values.items():
        assert decoded[name] == (None if value == 0xFF7FFFFF else value)

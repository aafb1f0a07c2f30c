"""Telemetry: what a message tells, with records that are short, unknown or impossible."""

from __future__ import annotations

import calendar
import json
import struct
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.records import RECORD_TYPES, Telemetry, format_record
from se.records.field import ID, format_id
from se.records.unknown import unknown_table
from tests.captures import RECORDS
from tests.support.records import capture, parse, record


@pytest.mark.parametrize(
    "entry", RECORDS, ids=lambda entry: f"{entry['seType']} {entry['hex'][:24]}"
)
def test_every_posted_record_decodes_without_a_problem(entry: dict[str, Any]) -> None:
    raw = bytes.fromhex(entry["hex"])
    number = int(entry["seType"], 16)
    decoded = record(raw)
    table = RECORD_TYPES.get(number) or unknown_table(number)
    assert decoded["dateTime"] == struct.unpack_from("<L", raw, 8)[0]
    assert decoded[table.id_key] == format_id(struct.unpack_from("<L", raw, 2)[0])
    again = table.encode(numbers(decoded))[: len(raw) - 8]
    assert record(raw[:8] + again) == decoded
    if all(field.name and field.kind is not ID for field in table.fields):
        assert again == raw[8:]  # of holes and of the extra bit of an ID nothing is published


def numbers(decoded: dict[str, Any]) -> dict[str, Any]:
    """A record with the numbers that its events' texts (in UTC) and signed numbers came from."""
    values = dict(decoded)
    for name, value in decoded.items():
        if name.startswith("Event") and isinstance(value, str):
            values[name] = calendar.timegm(time.strptime(value, "%a %b %d %H:%M:%S %Y"))
        elif name.startswith("Event") and isinstance(value, int):
            values[name] = value & 0xFFFFFFFF
    return values


def test_a_message_has_one_line_with_all_devices() -> None:
    payload = b"".join(capture(number)[0] for number in (0x0010, 0x0080, 0x0022, 0x0300, 0x0040))
    telemetry = parse(payload)
    [line] = telemetry.lines
    assert list(line) == [
        "inverters",
        "optimizers",
        "events",
        "meters_0x0022",
        "Unknown_device_0x0040",
    ]
    assert telemetry.types == [0x0010, 0x0080, 0x0022, 0x0300, 0x0040]


def test_a_device_that_occurs_twice_gives_two_lines() -> None:
    meters = [format_record(0x0022, 5, {"dateTime": n, "recType": n}) for n in (3, 5, 3)]
    first, second, third = (
        format_record(0x0080, 1, {"dateTime": n, "Vmod": n}) for n in (10, 20, 30)
    )
    other = format_record(0x0080, 2, {"dateTime": 10})
    lines = parse(first + second + other + b"".join(meters) + third).lines
    assert [line["optimizers"].get("1", {}).get("Vmod") for line in lines] == [10, 20, 30]
    assert ["2" in line["optimizers"] for line in lines] == [True, False, False]
    assert [list(line.get("meters_0x0022", {}).get("5", {})) for line in lines] == [
        ["3_Consumption", "5_GridImportExport"],
        ["3_Consumption"],
        [],
    ]
    assert all(list(line)[:3] == ["inverters", "optimizers", "events"] for line in lines)


def test_no_records_give_no_line() -> None:
    assert parse(b"") == Telemetry([], [], [])


def test_a_record_that_is_cut_short_is_named_and_hides_nothing() -> None:
    good = capture(0x0080)[0]
    telemetry = parse(good + capture(0x0000)[0][:20])
    assert telemetry.problems == ["record 0x0000 of 1016AB88 has 12 of its 36 bytes"]
    assert len(telemetry.lines[0]["optimizers"]) == 2
    assert parse(good + b"\x80\0\1").problems == ["3 bytes behind the last record"]


@given(st.binary(max_size=400))
def test_no_payload_raises_and_every_line_is_valid_json(payload: bytes) -> None:
    for line in parse(payload).lines:
        json.loads(orjson.dumps(line), parse_constant=pytest.fail)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*RECORD_TYPES, 0x0017, 0x0043]),
            st.integers(0, 5),
            st.binary(max_size=300),
        ),
        max_size=12,
    )
)
def test_every_record_of_any_length_and_contents_is_published(
    records: list[tuple[int, int, bytes]],
) -> None:
    payload = b"".join(
        struct.pack("<HLH", number, device, len(raw)) + raw for number, device, raw in records
    )
    telemetry = parse(payload)
    assert telemetry.types == [number for number, _, _ in records]
    assert telemetry.problems == []
    published = str(telemetry.lines).count("'dateTime'")
    assert published == len(records)

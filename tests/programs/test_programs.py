"""The converters: a record type that is new in the tables reaches every output whole."""

from __future__ import annotations

import csv
import json
import pathlib
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from se.programs import csv_files, state
from se.programs.reading_stream import ReadingStream
from se.records import format_telemetry
from se.records.field import F32, TIME, U16, U32, Field, Nature
from se.records.table import Table
from se.sinks.graphite import Metric, encode_pickle, encode_text, metrics
from se.sinks.json_lines import encode_line
from se.stop import Stop
from se.stream import Mark
from tests.support.records import more_record_types, parse

NOON = 1446289200
FIELDS = [
    TIME,
    Field("plug", U16, nature=Nature.IDENTIFIER),
    Field("Etot", U32, "Wh", nature=Nature.TOTAL),
    Field("P", F32, "W", momentary=True),
]
LABELLED = Table(
    0x0099, "chargers", "charger", FIELDS, label=lambda record: f"plug{record['plug']}"
)
PLAIN = Table(0x009A, "sensors_0x009a", "sensor", FIELDS, typed=True)

VALUES: dict[str, Any] = {"dateTime": NOON, "plug": 2, "Etot": 4711, "P": 1.5}
MOMENT = {"Date": "2015-10-31", "Time": "11:00:00"}
CHARGER = MOMENT | {"ID": "7F101234"} | VALUES
SENSOR = MOMENT | {"seType": "0x009a", "seId": "7F101234", "devLen": 14} | VALUES
SENSOR["devType"] = "sensors_0x009a"


@pytest.fixture(autouse=True)
def new_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[None]:
    """Two record types more, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    with more_record_types(LABELLED, PLAIN):
        yield


def day(*records: tuple[int, int, dict[str, Any]]) -> str:
    """The file of a message with these records after those of the two new types."""
    new = [(table.number, 0x7F101234, VALUES) for table in (LABELLED, PLAIN)]
    lines = parse(format_telemetry([*new, *records])).lines
    pathlib.Path("day.json").write_bytes(b"".join(map(encode_line, lines)))
    return "day.json"


def state_of(path: str) -> dict[str, Any]:
    assert state.run(state.Options(path, "solar.json", once=True)) == 0
    written: dict[str, Any] = json.loads(pathlib.Path("solar.json").read_bytes())
    return written


def batch_of(path: str) -> list[Metric]:
    with Stop() as stop:
        return [
            metric
            for readings in ReadingStream(path, follow=False, stop=stop)
            if not isinstance(readings, Mark)
            for reading in readings
            for metric in metrics("base", reading)
        ]


def test_a_new_record_type_is_in_the_state() -> None:
    expected = {
        "inverters": {},
        "optimizers": {},
        "chargers": {"7F101234": {"plug2": CHARGER}},
        "sensors_0x009a": {"7F101234": SENSOR},
    }
    assert state_of(day()) == expected
    assert state_of(day()) == expected  # which begins with what is there already


def test_an_event_ends_the_momentary_values_of_a_new_record_type() -> None:
    ended = state_of(day((0x0300, 0x7F105678, {"dateTime": NOON + 1, "Type": 0})))
    assert ended["chargers"]["7F101234"]["plug2"] == CHARGER | {"P": 0}
    assert ended["sensors_0x009a"]["7F101234"] == SENSOR | {"P": 0}


@pytest.mark.parametrize(("table", "expected"), [(LABELLED, CHARGER), (PLAIN, SENSOR)])
def test_a_new_record_type_has_its_csv_file(table: Table, expected: dict[str, Any]) -> None:
    options = csv_files.Options(
        day(),
        append=False,
        delimiter=",",
        follow=False,
        header=True,
        prefix="",
        inverters=None,
        optimizers=None,
    )
    assert csv_files.run(options) == 0
    with open(f"{table.group}.csv", encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header == list(table.keys)
    assert row == [str(expected[name]) for name in header]


def test_a_new_record_type_is_sent_to_graphite() -> None:
    batch = batch_of(day())
    devices = ("chargers.7F101234.plug2", "sensors_0x009a.7F101234")
    assert batch == [
        (f"base.{device}.{name}", NOON, VALUES[name])
        for device in devices
        for name in ("Etot", "P")
    ]
    assert list(encode_text(batch))[1] == b"base.chargers.7F101234.plug2.P 1.5 1446289200\n"
    (message,) = encode_pickle(batch)
    assert pickle.loads(message[4:]) == [(name, (time, value)) for name, time, value in batch]

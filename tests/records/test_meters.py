"""Meters as their owners saw them, one by one by their roles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from se.records import format_record
from tests.captures import RECORDS
from tests.support.records import parse, record


@pytest.mark.parametrize(
    "entry",
    [entry for entry in RECORDS if entry["seType"] == "0x0022" and entry["posted"]],
    ids=lambda entry: entry["source"],
)
def test_meters_as_their_owners_saw_them(entry: dict[str, Any]) -> None:
    decoded = record(bytes.fromhex(entry["hex"]), "Europe/Amsterdam")
    posted = entry["posted"]
    if isinstance(posted, str):
        posted = json.loads(posted)["meters_0x0022"]["73123D96"]["9_PVProduction"]
    assert decoded["PfromX"] is None
    assert {name: decoded[name] for name in posted if name != "PfromX"} == {
        name: value for name, value in posted.items() if name != "PfromX"
    }


@pytest.mark.parametrize(
    ("role", "label"),
    [
        (3, "3_Consumption"),
        (5, "5_GridImportExport"),
        (7, "7_Battery"),
        (8, "8_MostlyZeroes"),
        (9, "9_PVProduction"),
        (2, "2_UnrecognisedRecType"),
    ],
)
def test_meters_are_published_by_their_role(role: int, label: str) -> None:
    [line] = parse(format_record(0x0022, 0x73123D96, {"dateTime": 1, "recType": role})).lines
    assert list(line) == ["inverters", "optimizers", "events", "meters_0x0022"]
    assert list(line["meters_0x0022"]["73123D96"]) == [label]

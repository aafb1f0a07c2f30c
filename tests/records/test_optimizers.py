"""Optimizers of all generations, as their owners saw them."""

from __future__ import annotations

from typing import Any

import pytest

from se.records import format_record
from tests.captures import RECORDS
from tests.support.records import capture, record


@pytest.mark.parametrize(
    "entry",
    [entry for entry in RECORDS if entry["seType"] == "0x0082"],
    ids=lambda entry: entry["posted"]["ID"],
)
def test_the_s_series_optimizers_as_their_owner_saw_them(entry: dict[str, Any]) -> None:
    decoded = record(bytes.fromhex(entry["hex"]))
    for name in ("ID", "Uptime", "Vmod", "Vopt", "Imod", "Date"):
        assert decoded[name] == entry["posted"][name]
    # the original printed 0 for what it did not know
    assert decoded["Eday"] > 100 and 18 <= decoded["Temp"] <= 30
    assert decoded["Inverter"] == "7415F893"


def test_compact_optimizers() -> None:
    assert record(capture(0x0080)[0], "Europe/Madrid") == {
        "Date": "2016-06-08",
        "Time": "14:17:46",
        "ID": "2023765D",
        "Inverter": 0,
        "Uptime": 32094,
        "Vmod": 27.0,
        "Vopt": 34.0,
        "Imod": 7.59375,
        "Eday": 930.0,
        "Temp": 44.0,
        "dateTime": 1465388266,
    }


def test_temperatures_below_zero() -> None:
    raw = format_record(
        0x0080, 1, {"dateTime": 1, "Temp": -14.0, "Vmod": 127.875, "Imod": 25.59375}
    )
    decoded = record(raw)
    assert (decoded["Temp"], decoded["Vmod"], decoded["Imod"]) == (-14, 127.875, 25.59375)

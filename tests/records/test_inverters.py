"""Inverters as their owners saw them, and their powers."""

from __future__ import annotations

import math

import pytest

from se.records import format_record
from tests.captures import RECORDS
from tests.support.records import capture, record


def test_the_one_phase_inverter_as_its_owner_saw_it() -> None:
    [posted] = [entry["posted"]["csv"] for entry in RECORDS if entry["seType"] == "0x0010"]
    decoded = record(capture(0x0010)[0], "Europe/Amsterdam")
    names = "Date Time ID Uptime Interval Temp Eday Eac Vac Iac Freq Vdc Etot Pmax Pac".split()
    for name, text in zip(names, posted.split(","), strict=True):
        value = decoded[name]
        assert (value if isinstance(value, str) else f"{value:.6f}").startswith(text.rstrip("0"))
    assert decoded["Sac"] ** 2 == pytest.approx(decoded["Pac"] ** 2 + decoded["Qac"] ** 2, rel=0.1)
    assert decoded["GndFrR"] == decoded["Pmax"] == 6000
    assert (decoded["mode"], decoded["CosPhi"]) == (4, pytest.approx(1))
    assert decoded["PowerLimit"] == 100


def test_records_of_104_bytes_have_all_published_fields() -> None:
    raw = bytearray(capture(0x0010)[0][: 8 + 104])
    raw[6] = 104
    assert record(bytes(raw)) == record(capture(0x0010)[0])


def test_the_three_phase_inverter_and_its_powers() -> None:
    decoded = record(capture(0x0011)[0])
    assert decoded["ID"] == "7E1A06DB"
    assert (decoded["Uptime"], decoded["Interval"]) == (11718, 300)
    assert decoded["Vdc"] == pytest.approx(748.19, abs=0.005)
    assert decoded["EdayDC"] is None and decoded["data21"] is None
    assert decoded["Pac"] == decoded["Pac1"] + decoded["Pac2"] + decoded["Pac3"] == 4335
    for phase in "123":
        active, apparent, reactive = (decoded[name + phase] for name in ("Pac", "Sac", "Qac"))
        assert apparent == pytest.approx(math.hypot(active, reactive), rel=0.01)
        assert apparent == pytest.approx(decoded["Vac" + phase] * decoded["Iac" + phase], rel=0.02)
    assert decoded["Vac12"] == pytest.approx(decoded["Vac1"] * math.sqrt(3), rel=0.01)
    assert decoded["data29"] == decoded["PowerLimit1"] == 100


def test_a_phase_that_does_not_report_leaves_the_sum_open() -> None:
    values = {"dateTime": 1, "Pac1": 10.0, "Pac2": 20.0}
    assert record(format_record(0x0011, 1, values))["Pac"] is None
    assert record(format_record(0x0011, 1, {**values, "Pac3": 30.0}))["Pac"] == 60

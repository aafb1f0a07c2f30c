"""Batteries, published by their names."""

from __future__ import annotations

from se.records import format_record
from tests.support.records import parse


def test_batteries_are_published_by_their_name() -> None:
    values = {"dateTime": 1, "batteryId": "7E1BATT", "Vdc": 51.5, "HexConst_52": "64 00 01 ff"}
    values |= {"BattChargingStatus": 3, "TotalEnergyIn": 123456, "EOut": 7}
    [line] = parse(format_record(0x0030, 0x7E1A0823, values)).lines
    [battery] = line["batteries_0x0030"]["7E1A0823"].values()
    assert list(line["batteries_0x0030"]["7E1A0823"]) == ["7E1BATT"]
    assert {name: battery[name] for name in values} == values
    assert battery["Idc"] is None
    assert (battery["seType"], battery["devLen"]) == ("0x0030", 86)
    assert battery["devType"] == "batteries_0x0030"


def test_a_battery_without_a_name_is_published_all_the_same() -> None:
    [line] = parse(format_record(0x0030, 1, {"dateTime": 1})).lines
    assert list(line["batteries_0x0030"]["1"]) == ["unnamed"]

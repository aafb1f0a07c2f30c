"""Telemetry for tests: decoded records, and the real ones."""

from __future__ import annotations

from typing import Any

from se.records import RECORD_TYPES, Telemetry, parse_telemetry
from tests.captures import RECORDS
from tests.support.zones import zone

TABLES = list(RECORD_TYPES.values())


def parse(payload: bytes, zone_name: str = "UTC") -> Telemetry:
    """What a message tells, in a zone."""
    with zone(zone_name) as local:
        return parse_telemetry(payload, local)


def record(payload: bytes, zone_name: str = "UTC") -> dict[str, Any]:
    """The only record of a payload."""
    telemetry = parse(payload, zone_name)
    assert telemetry.problems == []
    [line] = telemetry.lines
    while True:
        if "Date" in line:
            return line
        [line] = [value for value in line.values() if value]


def capture(number: int) -> list[bytes]:
    """The posted records of a type."""
    return [bytes.fromhex(entry["hex"]) for entry in RECORDS if int(entry["seType"], 16) == number]

"""Telemetry for tests: decoded records, and the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from se.records import RECORD_TYPES, Telemetry, parse_telemetry
from se.records.groups import known_groups
from se.records.table import Table
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


@contextmanager
def more_record_types(*tables: Table) -> Iterator[None]:
    """Tables that everything knows for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for table in tables:
            patch.setitem(RECORD_TYPES, table.number, table)
        known_groups.cache_clear()
        try:
            yield
        finally:
            known_groups.cache_clear()

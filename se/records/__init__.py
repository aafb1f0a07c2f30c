"""What telemetry tells: a table for each record type, and the published form of a message.

A new device type is one table and one line in `RECORD_TYPES`: every converter knows it then, as
`se.records.groups` tells it what the tables say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from se.records.batteries import BATTERY
from se.records.events import EVENT
from se.records.field import format_id
from se.records.inverters import ONE_PHASE, THREE_PHASE
from se.records.meters import METER
from se.records.optimizers import COMPACT_OPTIMIZER, OPTIMIZER, S_SERIES_OPTIMIZER
from se.records.table import Record, Zone
from se.records.unknown import unknown_table

RECORD_TYPES = {
    table.number: table
    for table in (
        OPTIMIZER,
        ONE_PHASE,
        THREE_PHASE,
        METER,
        BATTERY,
        COMPACT_OPTIMIZER,
        S_SERIES_OPTIMIZER,
        EVENT,
    )
}

_HEADER = struct.Struct("<HLH")  # type, ID, length of what follows


class Telemetry(NamedTuple):
    """The published form of one message.

    `lines` are the JSON objects: one, or more if a device occurs several times; none without
    records. `types` are the record types in order, `problems` what is wrong, in words.
    """

    lines: list[Record]
    types: list[int]
    problems: list[str]


def parse_telemetry(payload: bytes, zone: Zone) -> Telemetry:
    """Decode the payload of a SERVER_POST_DATA message; never raises on bytes.

    A record that is not known, cut short or impossible does not hide the others.
    """
    first = _empty_line()
    lines, types, problems = telemetry = Telemetry([], [], [])
    again: dict[tuple[str, ...], int] = {}
    start, end = 0, len(payload)
    while end - start >= _HEADER.size:
        number, device_id, length = _HEADER.unpack_from(payload, start)
        start += _HEADER.size
        device = format_id(device_id)
        if length > end - start:
            problems.append(
                f"record 0x{number:04x} of {device} has {end - start} of its {length} bytes"
            )
        table = RECORD_TYPES.get(number) or unknown_table(number)
        record = table.decode(device, payload[start : start + length], zone)
        start += length
        types.append(number)
        place, key = first.setdefault(table.group, {}), device
        if table.label:
            place, key = place.setdefault(device, {}), table.label(record)
        if key not in place:
            place[key] = record
        else:
            path = (table.group, device, key) if table.label else (table.group, device)
            again[path] = again.get(path, -1) + 1
            _place(lines, again[path], path, record)
    if types:
        lines.insert(0, first)
    if start < end:
        problems.append(f"{end - start} bytes behind the last record")
    return telemetry


def _empty_line() -> Record:
    return {"inverters": {}, "optimizers": {}, "events": {}}


def _place(lines: list[Record], row: int, path: tuple[str, ...], record: Record) -> None:
    """Put a record of a device that occurs again into one of the further lines."""
    if row == len(lines):
        lines.append(_empty_line())
    place = lines[row]
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = record


def format_record(
    number: int, device_id: int, values: Mapping[str, Any], size: int | None = None
) -> bytes:
    """A record with its header, from published values, for a type that has a table.

    With `size`, only its first bytes, as firmware that does not know the later fields makes it.
    """
    raw = RECORD_TYPES[number].encode(values)[:size]
    return _HEADER.pack(number, device_id, len(raw)) + raw


def format_telemetry(records: Iterable[tuple[int, int, Mapping[str, Any]]]) -> bytes:
    """The payload of a message: the inverse of `parse_telemetry`, from (type, ID, values)."""
    return b"".join(format_record(*record) for record in records)

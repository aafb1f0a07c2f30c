"""The published JSON lines as readings of devices, and what is known of each device at last.

Pure: lines come in as bytes, the time as an argument. Lines of the original program are read as
well: it wrote NaN, and the raw numbers that mean "not reported".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from se.records.groups import group
from se.wire.values import NOT_REPORTED_VALUES

Fields = dict[str, Any]  # of one device; the values are numbers, texts, true, false and null

# beside the values, the f32 in its shortest form
NOT_REPORTED = frozenset({*NOT_REPORTED_VALUES, -3.4028235e38})

_DEVICE_TYPE = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes part of file names
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NAN = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|-?(?:NaN|Infinity)')  # outside of texts
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Reading(NamedTuple):
    """What one device reported at one moment.

    `identifiers` are the device's ID and, where its parts are told one by one, their label.
    """

    device_type: str
    identifiers: tuple[str, ...]
    fields: Fields

    @property
    def path(self) -> tuple[str, ...]:
        """Where the device stands in a line's object."""
        return (self.device_type, *self.identifiers)


class Flat(NamedTuple):
    """The readings of a line, and in words what in it is none."""

    readings: list[Reading]
    problems: list[str]


def parse_line(line: bytes) -> dict[str, Any]:
    """The JSON object in a line; raises ValueError, saying what is wrong.

    NaN and Infinity, which are no JSON, are null. NUL characters, with which battery names used
    to be padded, are dropped.
    """
    line = line.removeprefix(_BYTE_ORDER_MARK)
    if b"\\u0000" in line:
        line = _NUL.sub(rb"\1", line)
    if b"NaN" in line or b"Infinity" in line:
        line = _NAN.sub(lambda found: found[1] or b"null", line)
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    return data


def flatten(data: Mapping[str, Any]) -> Flat:
    """The readings in a line's object; none in the answer of a command, which is no telemetry.

    "Not reported" becomes None. What has another shape than the published one is a problem and
    does not hide the rest.
    """
    flat = Flat([], [])
    if "command" in data:
        return flat
    for device_type, devices in data.items():
        if _DEVICE_TYPE.fullmatch(device_type):
            _descend(flat, (device_type,), devices, group(device_type).depth)
        else:
            flat.problems.append(f"{device_type[:64]!r} is no device type")
    return flat


def _descend(flat: Flat, path: tuple[str, ...], value: Any, depth: int) -> None:
    """Collect the readings below `path`, which has `depth` levels of identifiers to come."""
    if not isinstance(value, dict):
        flat.problems.append(f"{'.'.join(path)} is no JSON object")
    elif depth:
        for name, inner in value.items():
            _descend(flat, (*path, name), inner, depth - 1)
    elif fields := _fields(flat, path, value):
        flat.readings.append(Reading(path[0], path[1:], fields))


def _fields(flat: Flat, path: tuple[str, ...], value: Fields) -> Fields:
    """The fields of a device, as they are where nothing has to be changed."""
    try:
        if NOT_REPORTED.isdisjoint(value.values()):
            return value
    except TypeError:  # the objects and arrays among them have no hash
        for name in [name for name, inner in value.items() if isinstance(inner, (dict, list))]:
            flat.problems.append(f"{'.'.join(path)}.{name} is no value")
            del value[name]
    return {name: None if inner in NOT_REPORTED else inner for name, inner in value.items()}


def moment(fields: Fields) -> int | None:
    """When a device said this (UTC seconds): `dateTime`, or else `Date` and `Time`; None: unknown.

    `Date` and `Time` are in the zone of the machine, the only time in the oldest lines.
    """
    time = fields.get("dateTime")
    if isinstance(time, str) and time.isdecimal():
        time = float(time)
    if not isinstance(time, (int, float)):
        try:
            time = datetime.fromisoformat(f"{fields.get('Date')} {fields.get('Time')}").timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    return int(time) if 0 < time < 1 << 32 else None

"""The published JSON lines as readings of devices, and what is known of each device at last.

Pure: lines come in as bytes, the time as an argument. Lines of the original program are read as
well: it wrote NaN, and the raw numbers that mean "not reported".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

Fields = dict[str, Any]  # of one device; the values are numbers, texts, true, false and null

# f32 -3.4028235e38 (as a double and in its shortest form) and u32 ff ff 7f ff
NOT_REPORTED = frozenset({-3.4028234663852886e38, -3.4028235e38, 4286578687})

_DEVICE_TYPE = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes part of file names
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NAN = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|-?(?:NaN|Infinity)')  # outside of texts
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_DAY_S = 86400


class Reading(NamedTuple):
    """What one device reported at one moment.

    `identifiers` are the device's ID and, for meters and batteries, the label of the part.
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
            depth = 2 if device_type.startswith(("meters_", "batteries_")) else 1
            _descend(flat, (device_type,), devices, depth)
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


STATE_TYPES = ("inverters", "optimizers", "events", "meters_", "batteries_")

# What an event ends: an inverter that wakes up or goes to sleep produces nothing.
_MOMENTARY = {
    "inverters": ("Eac", "Pac", "Pac1", "Pac2", "Pac3", "Iac", "Iac1", "Iac2", "Iac3"),
    "optimizers": ("Vmod", "Vopt", "Imod"),
}


class State:
    """The last reading of every device, in whatever order they arrive.

    The last event of each inverter is kept too: it decides whether momentary values still hold.
    """

    def __init__(self, readings: Iterable[Reading] = ()):
        """`readings` are those of a state written before."""
        self._last: dict[tuple[str, ...], Fields] = {}
        self._inverters: set[str] = set()
        for reading in readings:
            self._keep(reading)

    def nested(self) -> dict[str, Any]:
        """The state in the form of a line."""
        data: dict[str, Any] = {"inverters": {}, "optimizers": {}}
        for path, fields in self._last.items():
            place = data
            for name in path[:-1]:
                place = place.setdefault(name, {})
            place[path[-1]] = fields
        return data

    def update(self, reading: Reading, now: float) -> bool:
        """Take a reading in; returns whether it changed anything. `now` is in UTC seconds.

        A time more than a day ahead of `now` is believed only beside another such time (then
        the clock of this machine is behind): it would keep every later reading out.
        """
        if not reading.device_type.startswith(STATE_TYPES):
            return False
        known = self._last.get(reading.path)
        if known is not None and _precedes(reading.fields, known, now):
            return False
        if reading.device_type == "events" and self._is_doubtful(reading, now):
            return False
        self._keep(reading)
        if reading.device_type == "events":
            for path, fields in self._last.items():
                if self._inverter_of(path, fields) == reading.identifiers[0]:
                    _set_to_rest(path[0], fields, reading.fields, now)
        else:
            inverter = self._inverter_of(reading.path, reading.fields)
            event = self._last.get(("events", inverter)) if inverter else None
            if event is not None:
                _set_to_rest(reading.device_type, self._last[reading.path], event, now)
        return True

    def _is_doubtful(self, event: Reading, now: float) -> bool:
        """Whether an event has no time, or one in the future where its inverter is not."""
        at = moment(event.fields)
        before = [self._last.get((of, *event.identifiers), {}) for of in ("inverters", "events")]
        return at is None or any(_is_future(at, moment(fields), now) for fields in before)

    def _keep(self, reading: Reading) -> None:
        self._last[reading.path] = dict(reading.fields)
        if reading.device_type in ("inverters", "events"):
            self._inverters.add(reading.identifiers[0])
        elif reading.device_type == "optimizers" and (named := _named_inverter(reading.fields)):
            self._inverters.add(named)

    def _inverter_of(self, path: tuple[str, ...], fields: Fields) -> str | None:
        """The inverter that a device sleeps with: the one it names, or the site's only one."""
        if path[0] == "inverters":
            return path[1]
        if path[0] == "optimizers":
            only = next(iter(self._inverters)) if len(self._inverters) == 1 else None
            return _named_inverter(fields) or only
        return None


def _named_inverter(fields: Fields) -> str | None:
    """The inverter that an optimizer names; many name none, which is 0."""
    inverter = fields.get("Inverter")
    return inverter if isinstance(inverter, str) and inverter.strip("0") else None


def _is_future(later: int, other: int | None, now: float) -> bool:
    """Whether a time is not to be believed, which the other one shows."""
    return other is not None and other <= now + _DAY_S < later


def _precedes(first: Fields, second: Fields, now: float) -> bool:
    """Whether `first` is known to be older."""
    earlier, later = moment(first), moment(second)
    if earlier is None or later is None:
        return False
    return earlier < later and not _is_future(later, earlier, now)


def _set_to_rest(device_type: str, fields: Fields, event: Fields, now: float) -> None:
    """Let an event end the momentary values of a device that are older."""
    if _precedes(fields, event, now):
        for name in _MOMENTARY[device_type]:
            if name in fields:
                fields[name] = 0

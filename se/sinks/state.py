"""The state file: one JSON object with the last values of every device, always whole.

Strategy: it is written as soon as the input falls silent, so that a single message shows at once,
and once in `PAUSE_S` while lines come in bulk.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import orjson

from se.errors import OutputError
from se.files.write import refuse_special_file, remove_leftovers, replace_file
from se.records.groups import group
from se.sinks.readings import Fields, Reading, flatten, moment, parse_line

PAUSE_S = 1.0
_DAY_S = 86400


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
        if not group(reading.device_type).in_state:
            return False
        known = self._last.get(reading.path)
        if known is not None and _precedes(reading.fields, known, now):
            return False
        if reading.device_type == "events" and self._is_doubtful(reading, now):
            return False
        self._keep(reading)
        self._end_momentary(reading, now)
        return True

    def _end_momentary(self, reading: Reading, now: float) -> None:
        """Let the events that are known set the values to rest that `reading` touches."""
        if reading.device_type == "events":
            for path, fields in self._last.items():
                if self._inverter_of(path, fields) == reading.identifiers[0]:
                    _set_to_rest(path[0], fields, reading.fields, now)
        elif inverter := self._inverter_of(reading.path, reading.fields):
            if event := self._last.get(("events", inverter)):
                _set_to_rest(reading.device_type, self._last[reading.path], event, now)

    def _is_doubtful(self, event: Reading, now: float) -> bool:
        """Whether an event has no time, or one in the future where its inverter is not."""
        at = moment(event.fields)
        before = [self._last.get((of, *event.identifiers), {}) for of in ("inverters", "events")]
        return at is None or any(_is_future(at, moment(fields), now) for fields in before)

    def _keep(self, reading: Reading) -> None:
        self._last[reading.path] = dict(reading.fields)
        if reading.device_type in ("inverters", "events"):
            self._inverters.add(reading.identifiers[0])
        elif named := _named_inverter(reading.fields):
            self._inverters.add(named)

    def _inverter_of(self, path: tuple[str, ...], fields: Fields) -> str | None:
        """The inverter that a device sleeps with: the one it names, or the site's only one."""
        if path[0] == "inverters":
            return path[1]
        if not group(path[0]).momentary:
            return None
        only = next(iter(self._inverters)) if len(self._inverters) == 1 else None
        return _named_inverter(fields) or only


def _named_inverter(fields: Fields) -> str | None:
    """The inverter that a device names; many optimizers name none, which is 0."""
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
        for name in group(device_type).momentary:
            if name in fields:
                fields[name] = 0


class StateFile:
    """Starts from the existing file and is written at once, so that trouble shows at once."""

    def __init__(self, path: str):
        """Raises OutputError, also for a file that holds something else: it stays as it is."""
        refuse_special_file(path)
        remove_leftovers(path)
        self._path = path
        self._state = State(_load(path))
        self._changed = True
        self.write()

    def update(self, readings: Iterable[Reading]) -> None:
        """Take the readings of a line in."""
        now = time.time()
        for reading in readings:
            if self._state.update(reading, now) and not self._changed:
                self._changed = True
                self._changed_at = time.monotonic()
        if self._changed and time.monotonic() - self._changed_at >= PAUSE_S:
            self.write()

    def rest(self) -> None:
        """Nothing new has come for a moment."""
        if time.monotonic() - self._written_at >= PAUSE_S:
            self.write()

    def write(self) -> None:
        """Write what has changed. Raises OutputError."""
        if self._changed:
            with replace_file(self._path) as file:
                file.write(orjson.dumps(self._state.nested(), option=orjson.OPT_APPEND_NEWLINE))
            self._changed = False
            self._written_at = time.monotonic()


def _load(path: str) -> list[Reading]:
    """The readings of an existing state file; an empty one is like none."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    try:
        data = parse_line(content) if content.strip() else {}
        readings, problems = flatten(data)
    except ValueError as error:
        problems = [str(error)]
    else:
        problems += [f"it has {key!r}" for key in data if not group(key).in_state]
    if problems:
        raise OutputError(f"{path}: is no state file: {problems[0]}")
    return readings

"""The state file: one JSON object with the last values of every device, always whole.

Strategy: it is written as soon as the input falls silent, so that a single message shows at once,
and once in `PAUSE_S` while lines come in bulk.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import orjson

from se.errors import OutputError
from se.metrics import STATE_TYPES, Reading, State, flatten, parse_line
from se.replace import refuse_special_file, remove_leftovers, replace_file

PAUSE_S = 1.0


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
        problems += [f"it has {key!r}" for key in data if not key.startswith(STATE_TYPES)]
    if problems:
        raise OutputError(f"{path}: is no state file: {problems[0]}")
    return readings

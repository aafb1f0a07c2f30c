"""What the converters read: the lines of a file, flattened to readings."""

from __future__ import annotations

import os
import stat
import sys

from se.files.names import STDIN
from se.files.read import read_lines
from se.log import LOG
from se.sinks.readings import Reading, flatten, parse_line
from se.stop import Stop
from se.stream import Mark, Stream

SILENCE = 4  # times that a pipe had nothing, each 0.05 s: it is empty


class ReadingStream:
    """The stream of the readings in a file or stdin, line by line.

    Bad lines are logged, counted and skipped. It ends with the input, or when `stop` is requested;
    a pipe is emptied first, as what was in it is nowhere else.
    """

    def __init__(self, path: str | None, *, follow: bool, stop: Stop):
        """Opens the input. Raises InputError."""
        self._lines = read_lines(path, follow=follow and path not in (None, STDIN))
        self._stop = stop
        self._is_file = _is_file(path)
        self._good = 0
        self._skipped = 0
        self.bytes_read = 0

    def __iter__(self) -> Stream[list[Reading]]:
        silence = 0
        for item in self._lines:
            silence = silence + 1 if item is Mark.IDLE else 0
            if self._stop.requested and (self._is_file or silence > SILENCE):
                break
            if isinstance(item, Mark):
                yield item
                continue
            number, line = item
            self.bytes_read += len(line) + 1
            # a file system that lost its power leaves NUL bytes
            if line := line.strip(b" \t\r\0"):
                yield self._readings(number, line)
        if self._skipped:
            LOG.warning("%d of %d lines skipped", self._skipped, self._skipped + self._good)

    def _readings(self, number: int, line: bytes) -> list[Reading]:
        try:
            readings, problems = flatten(parse_line(line))
        except ValueError as error:
            readings, problems = [], [str(error)]
        for problem in problems:
            LOG.warning("line %d: %s", number, problem)
        if problems and not readings:
            self._skipped += 1
        else:
            self._good += 1
        return readings

    @property
    def exit_code(self) -> int:
        """What the program is to end with: 1 if nothing could be read."""
        if self._stop.requested:
            return self._stop.exit_code
        return 1 if self._skipped and not self._good else 0


def _is_file(path: str | None) -> bool:
    source = sys.stdin.fileno() if path is None or path == STDIN else path
    return stat.S_ISREG(os.stat(source).st_mode)

"""The loops of the converters: lines of a file, read, flattened and given to a sink."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

from se.files.names import STDIN
from se.files.read import read_lines
from se.log import LOG
from se.programs.progress import Progress
from se.sinks.carbon import Carbon
from se.sinks.csv_files import CsvFiles
from se.sinks.graphite import Metric, metrics
from se.sinks.readings import Reading, flatten, parse_line
from se.sinks.state import StateFile
from se.sinks.tcp import Address
from se.stop import Stop
from se.stream import Mark, Stream

SILENCE = 4  # times that a pipe had nothing, each 0.05 s: it is empty


class ReadingSource:
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


def keep_state(path: str | None, state_path: str, *, once: bool) -> int:
    """Keep the state file up to date with the lines of an input; returns the exit code."""
    with Stop() as stop:
        source = ReadingSource(path, follow=not once, stop=stop)
        state = StateFile(state_path)
        for readings in source:
            if isinstance(readings, Mark):
                state.rest()
            else:
                state.update(readings)
        state.write()
        return source.exit_code


def write_csv(path: str | None, files: CsvFiles, *, follow: bool) -> int:
    """Write the lines of an input as CSV files; returns the exit code."""
    with Stop() as stop, files:
        source = ReadingSource(path, follow=follow, stop=stop)
        for readings in source:
            if isinstance(readings, Mark):
                files.flush()
            else:
                files.write(readings)
        return source.exit_code


def send_metrics(
    options: argparse.Namespace, encode: Callable[[list[Metric]], Iterator[bytes]], protocol: str
) -> int:
    """Send the lines of an input to carbon; returns the exit code.

    `options` are those of `convert_options.graphite_parser`; `protocol` is what `encode`
    makes, in words.
    """
    with Stop() as stop, closing(Progress(options.inFile, follow=options.follow)) as progress:
        source = ReadingSource(options.inFile, follow=options.follow, stop=stop)
        carbon = Carbon(
            Address(options.host, options.port),
            protocol,
            delay=options.delay,
            patience=options.patience,
            stop=stop,
        )
        for readings in source:
            if isinstance(readings, Mark):
                carbon.rest()
                continue
            batch = [metric for reading in readings for metric in metrics(options.base, reading)]
            for message in encode(batch):
                carbon.send(message)
            if not stop.requested:
                progress.show(source.bytes_read)
        carbon.close()
        if not stop.requested:
            progress.show(source.bytes_read)
        return source.exit_code

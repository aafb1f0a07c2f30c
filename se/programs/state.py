"""se2state.py from its options to its exit code."""

from __future__ import annotations

from typing import NamedTuple

from se.errors import UsageError
from se.files.names import STDOUT, refuse_same_file
from se.programs.reading_stream import ReadingStream
from se.sinks.state import StateFile
from se.stop import Stop
from se.stream import Mark


class Options(NamedTuple):
    """The command line of se2state.py."""

    input: str | None  # - and None are stdin
    state: str  # the file that is kept
    once: bool  # end with the input instead of following it


def run(options: Options) -> int:
    """Keep the state file up to date with the lines of the input; returns the exit code."""
    if options.state == STDOUT:
        raise UsageError("-o: the state needs a file, it is written anew again and again")
    refuse_same_file(options.input, options.state)
    with Stop() as stop:
        stream = ReadingStream(options.input, follow=not options.once, stop=stop)
        state = StateFile(options.state)
        for readings in stream:
            if isinstance(readings, Mark):
                state.rest()
            else:
                state.update(readings)
        state.write()
        return stream.exit_code

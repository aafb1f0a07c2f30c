"""JSON lines: one object a line, valid for every parser (what is no number is null)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from se.files.write import Output


class JsonLines:
    """Collects objects and hands whole lines to the system at each `flush`."""

    def __init__(self, output: Output):
        self._output = output
        self._lines: list[bytes] = []

    def write(self, line: Mapping[str, Any]) -> None:
        """Take an object for the next `flush`."""
        self._lines.append(encode_line(line))

    def flush(self) -> None:
        """Write what was taken. Raises OutputError, and BrokenPipeError if nobody reads."""
        data = b"".join(self._lines)
        self._lines.clear()
        self._output.write(data)


def encode_line(line: Mapping[str, Any]) -> bytes:
    """The object as JSON, with the newline."""
    return _encoder()(line)


@functools.cache
def _encoder() -> Callable[[Mapping[str, Any]], bytes]:
    """Loaded with the first line: a third of the start-up time of a program without input."""
    import orjson

    return functools.partial(orjson.dumps, option=orjson.OPT_APPEND_NEWLINE)

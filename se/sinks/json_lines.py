"""JSON lines: one object a line, valid for every parser (what is no number is null)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from se.files import Output


class JsonLines:
    """Collects objects and hands whole lines to the system at each `flush`."""

    def __init__(self, output: Output):
        self._output = output
        self._lines: list[bytes] = []

    def write(self, line: Mapping[str, Any]) -> None:
        """Take an object for the next `flush`."""
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Write what was taken. Raises OutputError, and BrokenPipeError if nobody reads."""
        data = b"".join(self._lines)
        self._lines.clear()
        self._output.write(data)

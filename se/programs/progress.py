"""A progress bar for people: bytes done and time left, on a terminal only."""

from __future__ import annotations

import os
import sys
import time

WIDTH = 30
REDRAW_S = 0.2


class Progress:
    """Drawn on stderr while a file is read to its end; silent wherever nobody watches."""

    def __init__(self, path: str | None, *, follow: bool):
        watched = sys.stderr is not None and sys.stderr.isatty()
        file = path not in (None, "-") and os.path.isfile(str(path))
        self._total = os.path.getsize(str(path)) if watched and file and not follow else 0
        self._done = 0
        self._started = time.monotonic()
        self._next = self._started

    def show(self, done: int) -> None:
        """So many bytes are done: draw the bar, if it is time to."""
        self._done = min(done, self._total)
        if self._total and time.monotonic() >= self._next:
            self._next = time.monotonic() + REDRAW_S
            self._draw()

    def close(self) -> None:
        """Leave the line."""
        if self._total:
            self._draw("\n")

    def _draw(self, end: str = "") -> None:
        share = self._done / self._total
        elapsed = time.monotonic() - self._started
        left = f"{elapsed / share - elapsed:.0f} s left" if share else ""
        # the cursor goes back, so that a line of the log takes the place of the bar
        bar = ("#" * round(WIDTH * share)).ljust(WIDTH)
        try:
            sys.stderr.write(f"[{bar}] {self._done:,} of {self._total:,} bytes {left}\x1b[K\r{end}")
            sys.stderr.flush()
        except OSError:  # the terminal is gone: nobody watches any more
            self._total = 0

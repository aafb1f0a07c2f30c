"""Ctrl-C and SIGTERM as a flag that loops look at."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType


class Stop:
    """Ctrl-C and SIGTERM as a flag, so that no line or file is left half-written.

    Within the `with` block the first signal sets `requested`, and wakes whoever selects on this
    object or waits in `wait`; the next one ends the program where it stands.
    """

    def __init__(self) -> None:
        self.requested = 0
        self._pipe = (-1, -1)

    def __enter__(self) -> Stop:
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
        for descriptor in self._pipe:
            os.close(descriptor)

    @staticmethod
    def _restore() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = number
        self._restore()
        os.write(self._pipe[1], b"\0")

    def fileno(self) -> int:
        """Readable from the first signal on."""
        return self._pipe[0]

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond a signal; returns whether one came."""
        if not self.requested:
            select.select([self], [], [], seconds)
        return bool(self.requested)

    @property
    def exit_code(self) -> int:
        """What the program's end at this signal is to be reported as."""
        return 128 + signal.SIGINT if self.requested == signal.SIGINT else 0

"""The progress bar: only for who watches, and never in the way."""

from __future__ import annotations

import io
import os
import sys

import pytest

from se.programs.progress import Progress

SIZE = os.path.getsize(__file__)


class Screen(io.StringIO):
    """A terminal that may go away."""

    gone = False

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        if self.gone:
            raise OSError(5, "Input/output error")


def watched(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_terminal_that_goes_away_does_not_end_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = watched(monkeypatch)
    progress = Progress(__file__, follow=False)
    screen.gone = True
    progress.show(10)
    progress.show(20)
    progress.close()


def test_the_bar_reaches_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    progress = Progress(__file__, follow=False)
    progress.show(SIZE // 2)
    progress.show(SIZE + 1)
    progress.close()
    assert screen.getvalue().endswith(f"{SIZE:,} of {SIZE:,} bytes 0 s left\x1b[K\r\n")

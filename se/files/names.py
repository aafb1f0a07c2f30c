"""What files are called: `-` is a standard stream, and two names may be one file."""

from __future__ import annotations

import os
import stat
import sys

from se.errors import OutputError

STDIN = "-"
STDOUT = "-"


def display_name(path: str | None) -> str:
    """What an input is called in messages."""
    return "stdin" if path is None or path == STDIN else path


def refuse_same_file(source: str | None, *others: str | None) -> None:
    """Raise OutputError where two of the files are the same regular one: it would eat itself.

    The first is the input, where `-` and None are stdin, which may be redirected from a file; the
    others are ignored where they are `-` or None.
    """
    seen: dict[tuple[int, int] | str, str] = {}
    inputs = [] if source is None or source == STDIN else [source]
    if not inputs and sys.stdin is not None and (identity := _identity(sys.stdin.fileno())):
        seen[identity] = "stdin"
    for path in (*inputs, *others):
        if path is None or path == STDOUT:
            continue
        identity = _identity(path)
        if identity in seen:
            raise OutputError(f"{path}: is the same file as {seen[identity]}")
        if identity is not None:
            seen[identity] = path


def _identity(path: str | int) -> tuple[int, int] | str | None:
    """What tells a file from others; None for what is no regular file (terminals, /dev/null)."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path) if isinstance(path, str) else None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None

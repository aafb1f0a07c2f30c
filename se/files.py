"""Files as the programs use them: `-` for the standard streams, append, follow.

Reading is a generator of chunks that never blocks for longer than `POLL_S`, so that whoever loops
over it can look at the clock and at Ctrl-C between two chunks:

    bytes   what was read
    b""     nothing new at the moment
    None    what follows belongs to another stream: the file was truncated or replaced

It ends with the input, or never where the input is followed.
"""

from __future__ import annotations

import itertools
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator
from io import FileIO

from se.errors import InputError, OutputError

CHUNK = 1 << 16
POLL_S = 0.05
STDIN = "-"
STDOUT = "-"


def display_name(path: str | None) -> str:
    """What an input is called in messages."""
    return "stdin" if path is None or path == STDIN else path


def open_input(path: str | None) -> FileIO:
    """Open a file for reading, unbuffered; `-` and None are stdin. Raises InputError."""
    if path is None or path == STDIN:
        if sys.stdin is None:
            raise InputError("stdin is closed")
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


class Output:
    """A file or stdout to write to, unbuffered: what `write` returned from is with the system."""

    def __init__(self, file: FileIO, name: str):
        self.name = name
        self._file = file

    def write(self, data: bytes) -> None:
        """Write all of it. Raises OutputError, and BrokenPipeError where nobody reads any more."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self.name}: {error.strerror}") from error

    def clear(self) -> None:
        """Remove what was in the file, if it is one that we opened: not behind stdout."""
        if self._file.closefd and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.truncate(0)

    def close(self) -> None:
        """Close the file, if it is one."""
        self._file.close()

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_output(path: str | None, *, append: bool = False, lines: bool = False) -> Output:
    """Open a file for writing; `-` and None are stdout. Raises OutputError.

    With `append` and `lines`, a last line that a crash cut short is ended first, so that the
    next one starts on its own.
    """
    if path is None or path == STDOUT:
        if sys.stdout is None:
            raise OutputError("stdout is closed")
        return Output(open(sys.stdout.fileno(), "wb", buffering=0, closefd=False), "stdout")
    try:
        cut = append and lines and not _ends_with_newline(path)
        output = Output(open(path, "ab" if append else "wb", buffering=0), path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    if cut:
        output.write(b"\n")
    return output


def _ends_with_newline(path: str) -> bool:
    """Whether a regular file is empty or its last byte ends a line."""
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return True
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


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


def modified(path: str | None) -> float | None:
    """When a regular file was written last (UTC seconds); None for what is none, and stdin."""
    if path is None or not os.path.isfile(path):
        return None
    return os.path.getmtime(path)


def read_chunks(path: str | None, *, follow: bool = False) -> Iterator[bytes | None]:
    """Read a file or stdin; with `follow`, wait for what is appended to a file, as tail -f does.

    A pipe ends when its writer closes it, followed or not. The input is opened by this call,
    not by the first step, so that a missing file is known before any output is made.
    Raises InputError.
    """
    file = open_input(path)
    name = display_name(path)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return _read_waiting(file, name)
    return _follow(file, path) if follow else _read(file, name)


def peek(
    chunks: Iterator[bytes | None], is_undecided: Callable[[bytes], bool]
) -> tuple[bytes, Iterator[bytes | None]]:
    """The first bytes of a stream, as many as are needed to decide upon it, and the stream again.

    They are fewer where the stream ends before.
    """
    taken: list[bytes | None] = []
    start = b""
    for chunk in chunks:
        taken.append(chunk)
        start = start + chunk if chunk is not None else b""
        if not is_undecided(start):
            break
    return start, itertools.chain(filter(lambda chunk: chunk != b"", taken), chunks)


def _read(file: FileIO, name: str) -> Iterator[bytes | None]:
    """Read to the end."""
    with file:
        while chunk := _read_once(file, name):
            yield chunk


def _read_waiting(file: FileIO, name: str) -> Iterator[bytes | None]:
    """Read a pipe, a terminal or another thing that has to be waited for."""
    with file:
        while True:
            if not select.select([file], [], [], POLL_S)[0]:
                yield b""
                continue
            chunk = _read_once(file, name)
            if not chunk:
                return
            yield chunk


def _read_once(file: FileIO, name: str) -> bytes:
    try:
        return file.read(CHUNK) or b""
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error


def _follow(file: FileIO, path: str | None) -> Iterator[bytes | None]:
    """Read for ever, going on with the file that takes the name of this one."""
    while True:
        with file:
            yield from _read_until_replaced(file, path)
        yield None
        file = open_input(path)


def _read_until_replaced(file: FileIO, path: str | None) -> Iterator[bytes | None]:
    """Read what there is and what comes, until `path` is another file."""
    name = display_name(path)
    while True:
        replaced = _is_replaced(file, path)
        if chunk := _read_once(file, name):
            yield chunk
        elif os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)
            yield None
        elif replaced:  # asked before the last read: nothing was written in between
            return
        else:
            yield b""
            time.sleep(POLL_S)


def _is_replaced(file: FileIO, path: str | None) -> bool:
    """Whether the name stands for another file by now; a missing one may still come back.

    Stdin that is redirected from a file has no name that could.
    """
    if path is None or path == STDIN:
        return False
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False

"""Files as the programs use them: `-` for the standard streams, append, follow.

Reading is a stream of chunks (`se.stream`) that never blocks for longer than `POLL_S`. It is BROKEN
where the file was truncated or replaced, and ENDs with the input; a file that is followed never
does.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from io import FileIO

from se.errors import InputError
from se.files.names import STDIN, display_name
from se.stream import Mark, Stream

CHUNK = 1 << 16
POLL_S = 0.05


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


def modified(path: str | None) -> float | None:
    """When a regular file was written last (UTC seconds); None for what is none, and stdin."""
    if path is None or not os.path.isfile(path):
        return None
    return os.path.getmtime(path)


def read_chunks(path: str | None, *, follow: bool = False) -> Stream[bytes]:
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


def _read(file: FileIO, name: str) -> Stream[bytes]:
    """Read to the end."""
    with file:
        while chunk := _read_once(file, name):
            yield chunk
    yield Mark.END


def _read_waiting(file: FileIO, name: str) -> Stream[bytes]:
    """Read a pipe, a terminal or another thing that has to be waited for."""
    with file:
        while True:
            if not select.select([file], [], [], POLL_S)[0]:
                yield Mark.IDLE
                continue
            chunk = _read_once(file, name)
            if not chunk:
                break
            yield chunk
    yield Mark.END


def _read_once(file: FileIO, name: str) -> bytes:
    try:
        return file.read(CHUNK) or b""
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error


def _follow(file: FileIO, path: str | None) -> Stream[bytes]:
    """Read for ever, going on with the file that takes the name of this one."""
    while True:
        with file:
            yield from _read_until_replaced(file, path)
        yield Mark.BROKEN
        file = open_input(path)


def _read_until_replaced(file: FileIO, path: str | None) -> Stream[bytes]:
    """Read what there is and what comes, until `path` is another file."""
    name = display_name(path)
    while True:
        replaced = _is_replaced(file, path)
        if chunk := _read_once(file, name):
            yield chunk
        elif os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)
            yield Mark.BROKEN
        elif replaced:  # asked before the last read: nothing was written in between
            return
        else:
            yield Mark.IDLE
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


LINE_LIMIT = 1 << 24  # bytes; what has no line end for so long is handed out in pieces

Line = tuple[int, bytes]  # its number and what stands before its end


def read_lines(path: str | None, *, follow: bool = False) -> Stream[Line]:
    """Read lines without their ends, numbered from 1.

    A last line without its end is waited for while the input may go on, and given where it ends
    or is broken; after a break the numbers begin at 1 again. Opens the input at once, follows as
    `read_chunks` does and raises what it raises.
    """
    return _split_lines(read_chunks(path, follow=follow))


def _split_lines(chunks: Stream[bytes]) -> Stream[Line]:
    number, rest = 1, b""
    for chunk in chunks:
        if isinstance(chunk, bytes):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT:
                lines, rest = [*lines, rest], b""
            yield from enumerate(lines, number)
            number += len(lines)
            continue
        if chunk is not Mark.IDLE:
            if rest:
                yield number, rest
            number, rest = 1, b""
        yield chunk

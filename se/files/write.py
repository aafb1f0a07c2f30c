"""Files that are replaced as a whole: key files, state files, CSV files with new columns."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from io import FileIO
from typing import IO

from se.errors import OutputError
from se.files.names import STDOUT

_NEW = ".new"  # ends the name of a temporary file


@contextlib.contextmanager
def replace_file(path: str, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Write a file anew so that a reader, or a crash, meets the old one or the new one whole.

    The block writes to a temporary file beside it, which is synced and renamed at the end, and
    removed where the block raises. The permissions are `mode`, or those of the existing file, or
    what a new file gets; the owner of an existing file is kept where that is permitted.
    Raises OutputError.
    """
    path = os.path.realpath(path)
    refuse_special_file(path)
    folder, name = os.path.split(path)
    try:
        descriptor, temporary = tempfile.mkstemp(_NEW, f".{name}.", folder)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            _adopt(descriptor, path, mode)
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OutputError(f"{path}: {error.strerror}") from error
        raise


def refuse_special_file(path: str) -> None:
    """Raise OutputError for a folder, a device, a pipe: /dev/null must not be renamed over."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OutputError(f"{path}: is no regular file")


def remove_leftovers(path: str) -> None:
    """Remove the temporary files of killed replacements; for the only program that writes `path`.

    Raises OutputError.
    """
    folder, name = os.path.split(os.path.realpath(path))
    for leftover in glob.glob(f".{glob.escape(name)}.????????{_NEW}", root_dir=folder):
        try:
            os.unlink(os.path.join(folder, leftover))
        except OSError as error:
            raise OutputError(f"{leftover}: {error.strerror}") from error


def _adopt(descriptor: int, path: str, mode: int | None) -> None:
    """Give the new file the mode asked for, or mode and owner of the one that it replaces."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask if mode is None else mode)
        return
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if mode is None else mode)


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

"""Files that are replaced as a whole: key files, state files, CSV files with new columns."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import IO

from se.errors import OutputError

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

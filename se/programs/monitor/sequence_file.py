"""The file that keeps the number of the last transaction across programs and restarts."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from se.errors import InputError, OutputError
from se.files.write import remove_leftovers, replace_file
from se.wire.message import MAX_SEQUENCE, next_sequence

NAME = "seseq.dat"
_NUMBER = re.compile(rb"[0-9]{1,5}\s*")


class SequenceFile:
    """Hands out the numbers 1 to 65535, over and over, each one only once."""

    def __init__(self, path: str = NAME):
        self._path = os.path.abspath(path)

    def next_number(self) -> int:
        """The next number, which is on the disk before it is used.

        Raises InputError for a file that holds none, and OutputError.
        """
        with self._lock():
            number = next_sequence(self._read())
            remove_leftovers(self._path)
            with replace_file(self._path) as file:
                file.write(b"%d\n" % number)
        return number

    def _read(self) -> int:
        """The last number, 0 if there is no file yet."""
        try:
            with open(self._path, "rb") as file:
                content = file.read(64)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror}") from error
        if not _NUMBER.fullmatch(content) or not 1 <= int(content) <= MAX_SEQUENCE:
            raise InputError(
                f"{self._path}: is damaged: it should hold the last transaction number, 1 to"
                f" {MAX_SEQUENCE}; write a number there that is surely higher, or remove the file"
                " to begin at 1"
            )
        return int(content)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other programs out; the file itself is replaced, so that it cannot be the lock."""
        path = f"{self._path}.lock"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

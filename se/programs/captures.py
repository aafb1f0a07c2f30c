"""Captures where they lie: a file, stdin, the files of a folder, a folder that is being filled.

In a followed folder a file is known by what it is, not by its name: one that is renamed is not
new, one that is written anew under an old name (the ring of tcpdump -W) is.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Iterable, Iterator

from se.capture.error_policy import ErrorPolicy
from se.capture.formats import MAGIC_LENGTH
from se.capture.reader import CaptureReader, Captures
from se.errors import InputError, NotCaptureError, OutputError
from se.files.names import display_name, refuse_same_file
from se.files.read import POLL_S, read_chunks
from se.stream import Mark

# tcpdump -z gzip packs a file that has been read already.
_PACKED = ".gz"
# Looking at a folder of thousands of files has its price: not at every pause, but twice a second.
_PAUSES_PER_LOOK = 10


def open_captures(path: str, policy: ErrorPolicy, *, output: str | None) -> Captures:
    """What is to be read. Raises InputError and OutputError."""
    if not policy.is_folder:
        refuse_same_file(path, output)
        chunks = read_chunks(path, follow=policy.follow)
        return ((display_name(path), chunk) for chunk in chunks)
    names = [entry.path for entry in _list_folder(path)]
    for name in names:
        refuse_same_file(name, output)
    if policy.follow:
        return _follow_folder(_Folder(path, policy, output))
    captures = sorted(_with_times(names, policy))
    if not captures:
        raise InputError(f"{path}: there is no packet capture in this folder")
    return itertools.chain.from_iterable(_read_capture(name, policy) for _, name in captures)


def _read_capture(name: str, policy: ErrorPolicy) -> Captures:
    """A capture in a folder; what cannot be read of it is told."""
    is_begun = False
    try:
        for chunk in read_chunks(name):
            if isinstance(chunk, bytes):
                yield name, chunk
                is_begun = True
    except InputError as error:
        policy.handle(error, at_end=True)
    if is_begun:
        yield name, Mark.BROKEN


def _with_times(names: Iterable[str], policy: ErrorPolicy) -> Iterator[tuple[float, str]]:
    """The captures among the files, each with the time of its first packet."""
    for name in names:
        try:
            yield _first_time(name), name
        except NotCaptureError as error:
            policy.handle(error, at_end=True)
        except InputError:  # told when the file is read in its turn
            yield math.inf, name


def _first_time(name: str) -> float:
    """The time of a capture's first packet; infinite where it has none. Raises InputError."""
    reader = CaptureReader(name)
    for chunk in read_chunks(name):
        if isinstance(chunk, bytes):
            for packet in reader.feed(chunk):
                return packet.time
    reader.close()
    return math.inf


def _list_folder(path: str) -> list[os.DirEntry[str]]:
    """The files in a folder, hidden ones apart, by name. Raises InputError."""
    try:
        with os.scandir(path) as entries:
            files = [entry for entry in entries if entry.is_file() and entry.name[0] != "."]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return sorted(files, key=lambda entry: entry.name)


def _follow_folder(folder: _Folder) -> Captures:
    """Follow the newest capture of a folder, and each newer one once the one before is read.

    Every file is ended by a BROKEN. Where there is no capture yet, one is waited for. Raises
    InputError.
    """
    folder.look(current=None)
    del folder.new[:-1]
    while True:
        while not folder.new:
            yield folder.path, Mark.IDLE
            time.sleep(POLL_S)
            folder.look(current=None)
        name = folder.new.pop(0)
        if os.path.exists(name):  # or it was deleted before its turn came
            yield from _read_until_newer(name, folder)
            yield name, Mark.BROKEN


def _read_until_newer(name: str, folder: _Folder) -> Captures:
    pauses = 0
    for chunk in read_chunks(name, follow=True):
        if chunk is Mark.IDLE:
            if folder.new:  # it was there before this attempt to read: the file is complete
                return
            pauses += 1
            if pauses % _PAUSES_PER_LOOK == 0:
                folder.look(current=name)
        yield name, chunk


class _Folder:
    """What is known of a folder, and which of the captures in it are still to be read."""

    def __init__(self, path: str, policy: ErrorPolicy, output: str | None):
        self.path = path
        self._policy = policy
        self._output = output
        self._sizes: dict[tuple[int, int], int] = {}  # by device and inode
        self._names: set[str] = set()
        self._told: set[str] = set()
        self.new: list[str] = []

    def look(self, current: str | None) -> None:
        """Add what is new to the list, the oldest first; `current` is looked after already."""
        entries = _list_folder(self.path)
        names = {entry.path for entry in entries}
        skip = {current, *self.new} | {name + _PACKED for name in names | self._names}
        sizes = {}
        found = []
        for entry in entries:
            try:
                status = entry.stat()
            except FileNotFoundError:  # deleted just now
                continue
            identity = (status.st_dev, status.st_ino)
            is_smaller = status.st_size < self._sizes.get(identity, math.inf)
            is_new = is_smaller and entry.path not in skip
            if is_new and status.st_size < MAGIC_LENGTH:  # next time it may say what it is
                continue
            sizes[identity] = status.st_size
            if is_new and self._is_capture(entry.path):
                found.append((status.st_mtime_ns, entry.path))
        self._sizes, self._names = sizes, names
        self.new += [path for _, path in sorted(found)]

    def _is_capture(self, path: str) -> bool:
        """Whether a file begins as one, and is not the output; what is none is told once."""
        try:
            refuse_same_file(path, self._output)
            start = next(read_chunks(path))
            next(CaptureReader(path).feed(start if isinstance(start, bytes) else b""), None)
        except OutputError:
            return False
        except InputError as error:
            if path not in self._told:
                self._told.add(path)
                self._policy.handle(error, at_end=True)
            return False
        return True

"""Key files, and the sessions that are kept beside them across restarts.

A key file has one key a line: 32 hex digits, as sekey.py writes them, or an inverter's ID and its
key. A file that is named after an inverter (`7f101234.key`) binds a key without an ID to it. Lines
that begin with # and empty lines are passed over. Beside `NAME` stands `NAME.sessions`: for each
inverter its latest session keys as they came (useless without the inverter's key), by the time at
which they came: so decoding an old recording does not push out the session of today.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from se.errors import KeyFileError, OutputError
from se.files.write import replace_file
from se.log import LOG
from se.wire.keyring import SESSIONS_PER_INVERTER, Keyring, SetKey
from se.wire.values import ID_BITS

STORE_SUFFIX = ".sessions"
SAVE_INTERVAL_S = 1.0
_LINE = re.compile(r"(?:(?P<id>[0-9a-fA-F]{1,8})\s+)?(?P<key>[0-9a-fA-F]{32})")
_NAME = re.compile(r"[0-9a-fA-F]{8}")
_STORED = re.compile(r"([0-9A-F]{1,8}) ((?:[0-9a-f]{2})+) ([0-9]{1,10}) ([0-9a-f]{6}|-)")


class KeyFile(NamedTuple):
    """The keys of one file: those of known inverters by ID, and the others."""

    path: str
    bound: dict[int, bytes]
    unbound: list[bytes]


def read_key_file(path: str) -> KeyFile:
    """Read a key file. Raises KeyFileError, which never shows what may be a key."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    keys = KeyFile(path, {}, [])
    stem = os.path.basename(path).split(".")[0]
    owner = int(stem, 16) & ID_BITS if _NAME.fullmatch(stem) else None
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise KeyFileError(
                f"{path}: line {number} is no key: expected 32 hex digits, or an inverter's ID"
                f" and 32 hex digits, found {len(line)} characters"
            )
        inverter = int(match["id"], 16) & ID_BITS if match["id"] else owner
        key = bytes.fromhex(match["key"])
        if inverter is None:
            keys.unbound.append(key)
        elif keys.bound.setdefault(inverter, key) != key:
            raise KeyFileError(f"{path}: line {number} is a second key for {inverter:X}")
    if not (keys.bound or keys.unbound):
        raise KeyFileError(f"{path}: there is no key in it")
    return keys


class SessionStore:
    """A keyring from key files, with the sessions of earlier runs; keeps them up to date."""

    def __init__(self, paths: Sequence[str]):
        """Raises KeyFileError."""
        self._files = [read_key_file(path) for path in paths]
        bound: dict[int, bytes] = {}
        for file in self._files:
            for inverter, key in file.bound.items():
                if bound.setdefault(inverter, key) != key:
                    raise KeyFileError(f"{file.path}: has a second key for {inverter:X}")
        self._bound = bound
        unbound = [key for file in self._files for key in file.unbound]
        self.keyring = Keyring(bound, list(dict.fromkeys(unbound)))
        for file in self._files:
            self.keyring.restore(_latest(_read_sessions(file.path + STORE_SUFFIX)))
        self._complained = False
        self._saved = -math.inf

    def save_soon(self) -> None:
        """Save at once, but not again before `SAVE_INTERVAL_S`: openings may come in floods."""
        if time.monotonic() >= self._saved + SAVE_INTERVAL_S:
            self.save()

    def save(self) -> None:
        """Write the sessions beside their key files, if there is news; trouble is only logged."""
        if not self.keyring.changed:
            return
        self.keyring.changed = False
        self._saved = time.monotonic()
        for file in self._files:
            path = file.path + STORE_SUFFIX
            sessions = {each[:2]: each for each in _read_sessions(path)}
            for each in self.keyring.stored_sessions:
                if each.inverter in file.bound or (
                    file.unbound and each.inverter not in self._bound
                ):
                    sessions[each[:2]] = each
            if sessions:
                self._write(path, _latest(sessions.values()))

    def _write(self, path: str, sessions: Iterable[SetKey]) -> None:
        lines = [
            f"{each.inverter:X} {each.payload.hex()} {each.time} {each.check or '-'}\n"
            for each in sessions
        ]
        try:
            with replace_file(path, mode=0o600) as file:
                file.write("".join(lines).encode())
        except OutputError as error:
            if not self._complained:
                LOG.warning("the session will not survive a restart: %s", error)
            self._complained = True


def _latest(sessions: Iterable[SetKey]) -> list[SetKey]:
    """The latest of each inverter, by time."""
    kept: dict[int, list[SetKey]] = {}
    for each in sorted(sessions, key=lambda each: each.time):
        kept.setdefault(each.inverter, []).append(each)
    return [each for own in kept.values() for each in own[-SESSIONS_PER_INVERTER:]]


def _read_sessions(path: str) -> list[SetKey]:
    """The sessions of earlier runs; what is damaged or cannot be read is logged and left out."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        LOG.warning("%s: %s: sessions of earlier runs are not known", path, error.strerror)
        return []
    sessions = []
    for number, line in enumerate(lines, 1):
        match = _STORED.fullmatch(line)
        if match:
            inverter, payload, seconds, check = match.groups()
            check = check.replace("-", "")
            sessions.append(SetKey(int(inverter, 16), bytes.fromhex(payload), int(seconds), check))
        else:
            LOG.warning("%s: line %d is damaged and left out", path, number)
    return sessions

"""The keys that were given, and which of them fits which encrypted session.

An inverter opens a session with SERVER_SET_KEY (0x0503). The wrapper MISC_ENCRYPTED (0x003d) names
no inverter: the session that fits is the one under which an intact message appears. The cipher
module is loaded with the first session, since most systems have none.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from se.wire.message import FIRST_ROLE, Message

if TYPE_CHECKING:
    from se.wire.crypto import Cipher

KEY_PARAMETERS = range(0x0239, 0x023D)  # where an inverter keeps its key
KEY_FORMAT = struct.Struct(f"<{len(KEY_PARAMETERS)}L")  # the key, of their values
SESSIONS_PER_INVERTER = 8
PATIENCE = 3  # undecrypted messages, before a key is said not to fit
PATIENCE_WITH_OTHERS = 20
MAX_SESSIONS = 256  # anybody on a network could open sessions


class DecryptionFailure(Enum):
    """Why an encrypted message could not be read."""

    NO_KEY = "no key was given for it"
    NO_SESSION = "its session began before this program did: wait for its next session key (0503)"
    WRONG_KEY = "the key does not fit this inverter"
    UNDECIDED = "no key opens it"


class SetKey(NamedTuple):
    """A session as it is kept across restarts: the 0x0503 and the check of the key that fits."""

    inverter: int
    payload: bytes
    time: int  # when it came (UTC seconds)
    check: str  # empty until a message of the inverter was decrypted


class _Session:
    """One 0x0503 and the ciphers that may be right for it; only one, once that is known.

    `turn` counts the 0x0503 before it that led to nothing, and says which cipher has its turn.
    """

    def __init__(self, inverter: int, payload: bytes, time: int, ciphers: list[Cipher]):
        self.inverter = inverter
        self.payload = payload
        self.time = time
        self.ciphers = ciphers
        self.proven = False
        self.turn = 0

    @property
    def cipher(self) -> Cipher:
        """What answers are encrypted with."""
        return self.ciphers[self.turn % len(self.ciphers)]

    def prove(self, cipher: Cipher) -> None:
        """This is the right one."""
        self.proven = True
        self.ciphers = [cipher]


class Keyring:
    """The keys that were given, and the sessions that they open.

    `bound` keys belong to an inverter (by its ID), the others are tried on everybody else's
    sessions. The last sessions of each inverter are kept, for messages that arrive late.
    """

    def __init__(self, bound: dict[int, bytes], unbound: list[bytes]):
        self._bound = dict(bound)
        self._unbound = unbound
        self._sessions: list[_Session] = []  # the one that was used last stands first
        self._proven: set[int] = set()  # inverters whose key has decrypted something
        # of the others that opened a session: how many messages were not decrypted since
        self._failures: dict[int, int] = {}
        self._keyless: int | None = None
        self.changed = False  # whether there is news for whoever keeps `stored_sessions`

    def open_session(self, inverter: int, payload: bytes, now: float) -> None:
        """Take the payload of an inverter's 0x0503, which came at `now` (UTC seconds).

        The same again, or a new one where nothing was decrypted under the one before, says that
        our answer was not understood: it is the next key's turn.
        """
        before = self._session(inverter)
        session = self._same(inverter, payload) or self._add(inverter, payload, int(now))
        if session is None:
            if not self._keys(inverter):
                self._keyless = inverter
            return
        self._use(session)
        if inverter not in self._proven:
            self._failures.setdefault(inverter, 0)
        if before and not (before.proven or session.proven):
            session.turn = before.turn + 1

    def restore(self, sessions: list[SetKey]) -> None:
        """Take up the sessions of an earlier run, the latest last.

        A key that fitted then is the inverter's own from the beginning.
        """
        for inverter, payload, time, check in sessions:
            session = self._add(inverter, payload, time)
            if session is not None:
                for cipher in session.ciphers:
                    if cipher.key_check == check:
                        self._prove(session, cipher)
        self.changed = False

    @property
    def stored_sessions(self) -> list[SetKey]:
        """What `restore` needs: the latest last."""
        return [
            SetKey(
                session.inverter,
                session.payload,
                session.time,
                session.cipher.key_check if session.inverter in self._proven else "",
            )
            for session in reversed(self._sessions)
        ]

    def decrypt(self, payload: bytes, likely: Collection[int] = ()) -> tuple[Message, int] | None:
        """The message in the payload of a 0x003d, and the inverter whose session it belongs to.

        The sessions of the `likely` inverters are tried first.
        """
        for session in sorted(self._sessions, key=lambda each: each.inverter not in likely):
            for cipher in session.ciphers:
                message = cipher.decrypt(payload)
                if message is not None:
                    if message.source < FIRST_ROLE:  # an answer may be a server's wrong guess
                        self._prove(session, cipher)
                    self._use(session)
                    return message, session.inverter
        return None

    def record_failure(self) -> tuple[DecryptionFailure, int | None]:
        """Why a message could not be decrypted, and whose it is where that can be told.

        A message names no inverter: a key is only blamed after several of them.
        """
        for inverter in self._failures:
            self._failures[inverter] += 1
        for inverter in self.wrong_keys(PATIENCE):
            return DecryptionFailure.WRONG_KEY, inverter
        if self._keyless is not None or not (self._bound or self._unbound):
            return DecryptionFailure.NO_KEY, self._keyless
        return (
            DecryptionFailure.UNDECIDED if self._failures else DecryptionFailure.NO_SESSION
        ), None

    def wrong_keys(self, patience: int = 1) -> list[int]:
        """Inverters whose key does not fit, as far as so many undecrypted messages tell.

        Where there is an inverter without a key, they are more likely its own.
        """
        enough = patience if self._keyless is None else PATIENCE_WITH_OTHERS
        return [inverter for inverter, count in self._failures.items() if count >= enough]

    def handshake_failure(self, inverter: int) -> DecryptionFailure | None:
        """Why an inverter that sends its 0x0503 will say nothing else, if that is known by now."""
        session = self._session(inverter)
        if session is None:
            return DecryptionFailure.NO_KEY
        tried = session.turn >= len(session.ciphers) and not session.proven
        return DecryptionFailure.WRONG_KEY if tried else None

    def cipher(self, inverter: int) -> Cipher | None:
        """What an answer to this inverter is encrypted with, once it has opened a session."""
        session = self._session(inverter)
        return session.cipher if session else None

    def _keys(self, inverter: int) -> list[bytes]:
        bound = self._bound.get(inverter)
        return [bound] if bound else self._unbound

    def _session(self, inverter: int) -> _Session | None:
        """The session of an inverter that was used last."""
        return next((each for each in self._sessions if each.inverter == inverter), None)

    def _same(self, inverter: int, payload: bytes) -> _Session | None:
        for session in self._sessions:
            if (session.inverter, session.payload) == (inverter, payload):
                return session
        return None

    def _add(self, inverter: int, payload: bytes, time: int) -> _Session | None:
        ciphers = _ciphers(self._keys(inverter), payload)
        if not ciphers:
            return None
        own = [session for session in self._sessions if session.inverter == inverter]
        if len(own) >= SESSIONS_PER_INVERTER:
            self._remove_one(own)
        elif len(self._sessions) >= MAX_SESSIONS:
            self._remove_one(self._sessions)
        session = _Session(inverter, payload, time, ciphers)
        self._sessions.insert(0, session)
        self.changed = True
        return session

    def _remove_one(self, sessions: list[_Session]) -> None:
        """Forget the one of them that was used longest ago, those that led to nothing first."""
        useless = [session for session in sessions if not session.proven]
        removed = (useless or sessions)[-1]
        self._sessions.remove(removed)
        if self._session(removed.inverter) is None:
            self._failures.pop(removed.inverter, None)
            self._proven.discard(removed.inverter)

    def _prove(self, session: _Session, cipher: Cipher) -> None:
        """A message of the inverter was decrypted, so this is its key."""
        if not session.proven:
            session.prove(cipher)
            self._failures.pop(session.inverter, None)
            if session.inverter not in self._proven:
                self._proven.add(session.inverter)
                self._bound[session.inverter] = cipher.key
                self.changed = True

    def _use(self, session: _Session) -> None:
        self._sessions.remove(session)
        self._sessions.insert(0, session)


def _ciphers(keys: list[bytes], payload: bytes) -> list[Cipher]:
    """One cipher for each key; none where the payload is too short for a 0x0503."""
    from se.wire.crypto import SET_KEY_SIZE, Cipher

    return [Cipher(key, payload) for key in keys] if len(payload) >= SET_KEY_SIZE else []

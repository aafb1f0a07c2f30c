"""The keys that were given, and which of them fits which encrypted session.

An inverter opens a session with SERVER_SET_KEY (0x0503). The wrapper MISC_ENCRYPTED (0x003d) names
no inverter: the session that fits is the one under which an intact message appears. The cipher
module is loaded with the first session, since most systems have none.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from se.wire.message import FIRST_ROLE, Message

if TYPE_CHECKING:
    from se.wire.crypto import Cipher

KEY_PARAMETERS = range(0x0239, 0x023D)  # where an inverter keeps its key
KEY_FORMAT = struct.Struct(f"<{len(KEY_PARAMETERS)}L")  # the key, of their values
SESSIONS_PER_INVERTER = 8
MAX_SESSIONS = 256  # anybody on a network could open sessions
PATIENCE = 3  # undecrypted messages, before a key is said not to fit


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


class _Inverter:
    """What is known of an inverter that has sessions."""

    def __init__(self) -> None:
        self.proven = False  # whether its key has decrypted a message
        self.openings = 0  # since that
        self.undecrypted = 0  # messages since its first opening, whosever they are


class _Session:
    """One 0x0503, and a cipher for each key that its inverter may have."""

    def __init__(self, inverter: int, payload: bytes, time: int, ciphers: list[Cipher]):
        self.inverter = inverter
        self.payload = payload
        self.time = time
        self.ciphers = ciphers
        self.proven = False  # whether a message was decrypted


class Keyring:
    """The keys that were given, and the sessions that they open.

    `bound` keys belong to an inverter (by its ID), the others are tried on everybody else's
    sessions. The last sessions of each inverter are kept, for messages that arrive late.
    """

    def __init__(self, bound: dict[int, bytes], unbound: list[bytes]):
        self._bound = dict(bound)
        self._unbound = unbound
        self._inverters: dict[int, _Inverter] = {}
        # by inverter and payload; the one that was used last stands last
        self._sessions: dict[tuple[int, bytes], _Session] = {}
        self._keyless: int | None = None  # an inverter that opened a session in vain
        self.changed = False  # whether there is news for whoever keeps `stored_sessions`

    def open_session(self, inverter: int, payload: bytes, now: float) -> None:
        """Take the payload of an inverter's 0x0503, which came at `now` (UTC seconds).

        The same again, or a new one where nothing was decrypted under the one before, says that
        our answer was not understood: it is the next key's turn.
        """
        session = self._sessions.get((inverter, payload))
        session = session or self._add(inverter, payload, int(now))
        if session is not None:
            self._use(session)
            self._inverters[inverter].openings += 1
        elif not self._keys(inverter):
            self._keyless = inverter

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
                session.ciphers[0].key_check if self._inverters[session.inverter].proven else "",
            )
            for session in self._sessions.values()
        ]

    def decrypt(self, payload: bytes, likely: Collection[int] = ()) -> tuple[Message, int] | None:
        """The message in the payload of a 0x003d, and the inverter whose session it belongs to.

        The sessions of the `likely` inverters are tried first.
        """
        latest_first = reversed(self._sessions.values())
        for session in sorted(latest_first, key=lambda each: each.inverter not in likely):
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
        for known in self._inverters.values():
            if known.openings and not known.proven:
                known.undecrypted += 1
        if self._keyless is not None or not (self._bound or self._unbound):
            return DecryptionFailure.NO_KEY, self._keyless
        for inverter in self.wrong_keys(PATIENCE):
            return DecryptionFailure.WRONG_KEY, inverter
        if any(known.undecrypted for known in self._inverters.values()):
            return DecryptionFailure.UNDECIDED, None
        return DecryptionFailure.NO_SESSION, None

    def wrong_keys(self, patience: int = 1) -> list[int]:
        """Inverters whose key does not fit, as far as so many undecrypted messages tell.

        Where there is an inverter without a key, they are taken for its own.
        """
        if self._keyless is not None:
            return []
        known = self._inverters.items()
        return [inverter for inverter, each in known if each.undecrypted >= patience]

    def handshake_failure(self, inverter: int) -> DecryptionFailure | None:
        """Why an inverter that sends its 0x0503 will send nothing else, if that is known by now."""
        if inverter not in self._inverters:
            return DecryptionFailure.NO_KEY
        tried = self._inverters[inverter].openings > len(self._keys(inverter))
        return DecryptionFailure.WRONG_KEY if tried else None

    def cipher(self, inverter: int) -> Cipher | None:
        """What an answer to this inverter is encrypted with, once it has opened a session."""
        if inverter not in self._inverters:
            return None
        ciphers = self._own(inverter)[-1].ciphers
        in_vain = max(0, self._inverters[inverter].openings - 1)
        return ciphers[in_vain % len(ciphers)]

    def _keys(self, inverter: int) -> list[bytes]:
        bound = self._bound.get(inverter)
        return [bound] if bound else self._unbound

    def _own(self, inverter: int) -> list[_Session]:
        """The sessions of an inverter; the one that was used last stands last."""
        return [each for each in self._sessions.values() if each.inverter == inverter]

    def _add(self, inverter: int, payload: bytes, time: int) -> _Session | None:
        """A new session, if there are keys for it and its payload is long enough."""
        from se.wire.crypto import SET_KEY_BLOCKS, Cipher

        keys = self._keys(inverter)
        if not keys or len(payload) < SET_KEY_BLOCKS:
            return None
        own = self._own(inverter)
        if len(own) >= SESSIONS_PER_INVERTER:
            self._remove_one(own)
        elif len(self._sessions) >= MAX_SESSIONS:
            self._remove_one(self._sessions.values())
        session = _Session(inverter, payload, time, [Cipher(key, payload) for key in keys])
        self._sessions[inverter, payload] = session
        self._inverters.setdefault(inverter, _Inverter())
        self.changed = True
        return session

    def _remove_one(self, sessions: Iterable[_Session]) -> None:
        """Forget the one of them that was used longest ago, those that led to nothing first."""
        removed = min(sessions, key=lambda each: each.proven)
        del self._sessions[removed.inverter, removed.payload]
        if not self._own(removed.inverter):
            del self._inverters[removed.inverter]

    def _prove(self, session: _Session, cipher: Cipher) -> None:
        """A message of the inverter was decrypted, so this is its key."""
        session.proven = True
        known = self._inverters[session.inverter]
        known.openings = known.undecrypted = 0
        if not known.proven:
            known.proven = self.changed = True
            self._bound[session.inverter] = cipher.key
            for each in self._own(session.inverter):
                each.ciphers = [own for own in each.ciphers if own.key == cipher.key]

    def _use(self, session: _Session) -> None:
        key = session.inverter, session.payload
        self._sessions[key] = self._sessions.pop(key)

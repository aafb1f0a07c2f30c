"""The keys that were given, and which of them fits which encrypted session.

An inverter opens a session with SERVER_SET_KEY (0x0503). The wrapper MISC_ENCRYPTED (0x003d) names
no inverter: the session that fits is the one under which an intact message appears. The cipher
module is loaded with the first session, since most systems have none.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from se.wire.message import Message

if TYPE_CHECKING:
    from se.wire.crypto import Cipher

KEY_PARAMETERS = range(0x0239, 0x023D)  # where an inverter keeps its key, 4 bytes in each
SESSIONS_PER_INVERTER = 3
MAX_SESSIONS = 256  # anybody on a network could open sessions


class Locked(Enum):
    """Why an encrypted message could not be read."""

    NO_KEY = "no key was given for it"
    NO_SESSION = "its session began before this program did: wait for its next session key (0503)"
    WRONG_KEY = "the key does not fit this inverter"


class SetKey(NamedTuple):
    """A session as it is kept across restarts: the 0x0503 and the check of the key that fits."""

    inverter: int
    payload: bytes
    check: str  # empty until a message was decrypted


class _Session:
    """One 0x0503 and the ciphers that may be right for it; only one, once that is known."""

    def __init__(self, inverter: int, payload: bytes, ciphers: list[Cipher]):
        self.inverter = inverter
        self.payload = payload
        self.ciphers = ciphers
        self.proven = False


class Keyring:
    """The keys that were given, and the sessions that they open.

    `bound` keys belong to an inverter (by its ID), the others are tried on everybody else's
    sessions. The last sessions of each inverter are kept, for messages that arrive late.
    """

    def __init__(self, bound: dict[int, bytes], unbound: list[bytes]):
        self._bound = dict(bound)
        self._unbound = unbound
        self._sessions: list[_Session] = []  # the one that was used last stands first
        self._fits: dict[int, bool] = {}  # whether an inverter's key has decrypted anything yet
        self._keyless: int | None = None
        self.changed = False  # whether there is news for whoever keeps `stored_sessions`

    def open_session(self, inverter: int, payload: bytes) -> None:
        """Take the payload of an inverter's 0x0503.

        A repetition of it says that our answer was not understood: it is the next key's turn.
        """
        for session in self._sessions:
            if (session.inverter, session.payload) == (inverter, payload):
                if not session.proven:
                    session.ciphers.append(session.ciphers.pop(0))
                self._use(session)
                break
        else:
            self._add(SetKey(inverter, payload, ""))
        if self.cipher(inverter):
            self._fits.setdefault(inverter, False)

    def restore(self, sessions: list[SetKey]) -> None:
        """Take up the sessions of an earlier run, the latest last."""
        for session in sessions:
            self._add(session)
        self.changed = False

    @property
    def stored_sessions(self) -> list[SetKey]:
        """What `restore` needs: the latest last."""
        return [
            SetKey(
                session.inverter,
                session.payload,
                session.ciphers[0].key_check if session.proven else "",
            )
            for session in reversed(self._sessions)
        ]

    def decrypt(self, payload: bytes) -> tuple[Message, int] | None:
        """The message in the payload of a 0x003d, and the inverter whose session it belongs to."""
        for session in self._sessions:
            for cipher in session.ciphers:
                message = cipher.decrypt(payload)
                if message is not None:
                    self._prove(session, cipher)
                    self._use(session)
                    return message, session.inverter
        return None

    def why_locked(self) -> tuple[Locked, int | None]:
        """Why a message could not be decrypted, and whose it is where that can be told."""
        for inverter, fits in self._fits.items():
            if not fits:
                return Locked.WRONG_KEY, inverter
        if self._keyless is not None or not (self._bound or self._unbound):
            return Locked.NO_KEY, self._keyless
        return Locked.NO_SESSION, None

    def cipher(self, inverter: int) -> Cipher | None:
        """What an answer to this inverter is encrypted with, once it has opened a session."""
        for session in self._sessions:
            if session.inverter == inverter:
                return session.ciphers[0]
        return None

    def _add(self, set_key: SetKey) -> None:
        inverter, payload, check = set_key
        bound = self._bound.get(inverter)
        keys = [bound] if bound else self._unbound
        if not keys:
            self._keyless = inverter
            return
        ciphers = _ciphers(keys, payload)
        if not ciphers:
            return
        own = [session for session in self._sessions if session.inverter == inverter]
        if len(own) >= SESSIONS_PER_INVERTER:
            self._sessions.remove(own[-1])
        elif len(self._sessions) >= MAX_SESSIONS:
            self._sessions.pop()
        # the key that fitted in an earlier run has the first turn
        ciphers.sort(key=lambda cipher: cipher.key_check != check)
        self._sessions.insert(0, _Session(inverter, payload, ciphers))
        self.changed = True

    def _prove(self, session: _Session, cipher: Cipher) -> None:
        """A message was decrypted, so this is the inverter's key."""
        if not session.proven:
            session.proven = True
            session.ciphers = [cipher]
            self._bound[session.inverter] = cipher.key
            self._fits[session.inverter] = True
            self.changed = True

    def _use(self, session: _Session) -> None:
        self._sessions.remove(session)
        self._sessions.insert(0, session)


def _ciphers(keys: list[bytes], payload: bytes) -> list[Cipher]:
    """One cipher for each key; none where the payload is too short for a 0x0503."""
    from se.wire.crypto import SET_KEY_SIZE, Cipher

    return [Cipher(key, payload) for key in keys] if len(payload) >= SET_KEY_SIZE else []

"""Encrypted sessions: session keys, the 0x003d wrapper, and finding the key that fits.

An inverter opens a session with SERVER_SET_KEY (0x0503), whose two random blocks give the session
key under the inverter's own key. The wrapper MISC_ENCRYPTED (0x003d) names no inverter: the session
that fits is the one under which an intact message appears.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

from Crypto.Cipher import AES
from Crypto.Util.strxor import strxor

from se.wire.functions import Function
from se.wire.message import (
    BROADCAST,
    ENCRYPTED_SERVER,
    OVERHEAD,
    MalformedMessageError,
    Message,
    frame_size,
)

KEY_SIZE = 16
_BLOCK = 16
_MASK_SIZE = 4
_PREFIX = struct.Struct("<H4s")  # a sequence number of its own, and the mask
SET_KEY_SIZE = 2 * _BLOCK  # what matters of a 0x0503; two bytes of unknown meaning follow
SESSIONS_PER_INVERTER = 3
MAX_SESSIONS = 256  # anybody on a network could open sessions


def session_key(key: bytes, set_key: bytes) -> bytes:
    """The 16-byte session key that the payload of a 0x0503 brings under the inverter's key."""
    first, second = set_key[:_BLOCK], set_key[_BLOCK:SET_KEY_SIZE]
    return strxor(AES.new(key, AES.MODE_ECB).encrypt(first), second)


def key_check(key: bytes) -> str:
    """Six hex digits that tell a key from others and nothing of what it is."""
    return AES.new(key, AES.MODE_ECB).encrypt(bytes(_BLOCK))[:3].hex()


class Cipher:
    """One session: what its key opens and closes."""

    def __init__(self, key: bytes, set_key: bytes):
        self.key = key
        self._session_key = session_key(key, set_key)

    def decrypt(self, payload: bytes) -> Message | None:
        """The message inside the payload of a 0x003d; None if this is not its session."""
        plain = self._crypt(payload[:_BLOCK], payload[_BLOCK:])
        if len(plain) < _PREFIX.size + OVERHEAD:
            return None
        _, mask = _PREFIX.unpack_from(plain)
        inner = _mask(plain[_PREFIX.size :], mask)
        try:
            return Message.parse(inner[: frame_size(inner)])
        except MalformedMessageError:
            return None

    def encrypt(self, message: Message, sequence: int, random: bytes) -> Message:
        """The wrapper of a server's message; `random` are 20 fresh bytes, nonce and mask."""
        nonce, mask = random[:_BLOCK], random[_BLOCK:]
        plain = _PREFIX.pack(sequence, mask) + _mask(message.to_bytes(), mask)
        payload = nonce + self._crypt(nonce, plain)
        return Message(sequence, ENCRYPTED_SERVER, BROADCAST, Function.MISC_ENCRYPTED, payload)

    def _crypt(self, nonce: bytes, data: bytes) -> bytes:
        """Encrypt or decrypt, which is the same: the nonce is the first value of the counter."""
        if len(nonce) < _BLOCK or not data:
            return b""
        aes = AES.new(self._session_key, AES.MODE_CTR, nonce=b"", initial_value=nonce)
        return aes.encrypt(data)


RANDOM_SIZE = _BLOCK + _MASK_SIZE


def _mask(data: bytes, mask: bytes) -> bytes:
    """Every byte xored with the mask's byte at its index, modulo 4."""
    return strxor(data, (mask * (len(data) // _MASK_SIZE + 1))[: len(data)])


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
        if len(payload) < SET_KEY_SIZE:
            return
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
                key_check(session.ciphers[0].key) if session.proven else "",
            )
            for session in reversed(self._sessions)
        ]

    def decrypt(self, payload: bytes) -> Message | None:
        """The message inside the payload of a 0x003d; None if no session fits."""
        for session in self._sessions:
            for cipher in session.ciphers:
                message = cipher.decrypt(payload)
                if message is not None:
                    self._prove(session, cipher)
                    self._use(session)
                    return message
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
        # the key that fitted in an earlier run has the first turn
        keys = [bound] if bound else sorted(self._unbound, key=lambda key: key_check(key) != check)
        if not keys:
            self._keyless = inverter
            return
        own = [session for session in self._sessions if session.inverter == inverter]
        if len(own) >= SESSIONS_PER_INVERTER:
            self._sessions.remove(own[-1])
        elif len(self._sessions) >= MAX_SESSIONS:
            self._sessions.pop()
        ciphers = [Cipher(key, payload) for key in keys]
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

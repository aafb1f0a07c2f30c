"""The cipher of an encrypted session: AES-128 in counter mode, and a mask of four bytes.

The two random blocks of SERVER_SET_KEY (0x0503) give the session key under the inverter's own key.
Under the session key, MISC_ENCRYPTED (0x003d) wraps whole messages.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from Crypto.Cipher import AES
from Crypto.Util.strxor import strxor

from se.wire.functions import Function
from se.wire.message import (
    BROADCAST,
    ENCRYPTED_SERVER,
    MAGIC,
    OVERHEAD,
    MalformedMessageError,
    Message,
    frame_size,
)

if TYPE_CHECKING:
    from Crypto.Cipher._mode_ctr import CtrMode

_BLOCK = 16
_MASK_SIZE = 4
_PREFIX = struct.Struct("<H4s")  # a sequence number of its own, and the mask
SET_KEY_BLOCKS = 2 * _BLOCK  # what makes the session key, of the payload of a 0x0503
SET_KEY_SIZE = SET_KEY_BLOCKS + 2  # all of it: the last two bytes are of unknown meaning


def session_key(key: bytes, set_key: bytes) -> bytes:
    """The 16-byte session key that the payload of a 0x0503 brings under the inverter's key."""
    first, second = set_key[:_BLOCK], set_key[_BLOCK:SET_KEY_BLOCKS]
    return strxor(AES.new(key, AES.MODE_ECB).encrypt(first), second)


class Cipher:
    """One session: what its key opens and closes."""

    random_size = _BLOCK + _MASK_SIZE  # what each message needs

    def __init__(self, key: bytes, set_key: bytes):
        self.key = key
        self._session_key = session_key(key, set_key)

    @property
    def key_check(self) -> str:
        """Six hex digits that tell the inverter's key from others and nothing of what it is."""
        return AES.new(self.key, AES.MODE_ECB).encrypt(bytes(_BLOCK))[:3].hex()

    def decrypt(self, payload: bytes) -> Message | None:
        """The message inside the payload of a 0x003d; None if this is not its session."""
        if len(payload) < _BLOCK + _PREFIX.size + OVERHEAD:
            return None
        aes = self._aes(payload[:_BLOCK])
        # most sessions are not the right one, and the first block shows that
        start = aes.decrypt(payload[_BLOCK : 2 * _BLOCK])
        _, mask = _PREFIX.unpack_from(start)
        if _mask(start[_PREFIX.size :], mask)[: len(MAGIC)] != MAGIC:
            return None
        plain = start + aes.decrypt(payload[2 * _BLOCK :])
        inner = _mask(plain[_PREFIX.size :], mask)
        try:
            return Message.parse(inner[: frame_size(inner)])
        except MalformedMessageError:
            return None

    def encrypt(self, message: Message, sequence: int, random: bytes) -> Message:
        """The wrapper of a server's message; `random` are `random_size` fresh bytes."""
        nonce, mask = random[:_BLOCK], random[_BLOCK:]
        plain = _PREFIX.pack(sequence, mask) + _mask(message.to_bytes(), mask)
        payload = nonce + self._aes(nonce).encrypt(plain)
        return Message(sequence, ENCRYPTED_SERVER, BROADCAST, Function.MISC_ENCRYPTED, payload)

    def _aes(self, nonce: bytes) -> CtrMode:
        """One stream of the cipher: the nonce is the first value of the counter."""
        return AES.new(self._session_key, AES.MODE_CTR, nonce=b"", initial_value=nonce)


def _mask(data: bytes, mask: bytes) -> bytes:
    """Every byte xored with the mask's byte at its index, modulo 4."""
    return strxor(data, (mask * (len(data) // _MASK_SIZE + 1))[: len(data)])

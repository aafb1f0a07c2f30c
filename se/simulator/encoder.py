"""The encoder of one inverter's messages: sequence numbers, and with a key, encryption."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from se.simulator.site import ReportMessage
from se.wire.functions import Function
from se.wire.message import MAX_SEQUENCE, SERVER, Message, next_sequence

if TYPE_CHECKING:
    from se.wire.crypto import Cipher

SESSION_S = 4 * 3600  # how long a session key is used


class MessageEncoder:
    """Encodes the messages of one inverter, encrypted once a session is open under its `key`."""

    def __init__(self, inverter: int, key: bytes | None, seed: int):
        self.inverter = inverter
        self.cipher: Cipher | None = None
        self._key = key
        self._random = random.Random(f"{seed} {inverter}")
        self._sequence = self._random.randrange(MAX_SEQUENCE)
        self._wrapper_sequence = 0
        self._session_end = 0

    def message(self, function: int, payload: bytes = b"") -> Message:
        """A message to the server with the next sequence number."""
        self._sequence = next_sequence(self._sequence)
        return Message(self._sequence, self.inverter, SERVER, function, payload)

    def open_session(self, now: int) -> Message | None:
        """The message that opens a session, if it is time for one at `now` (UTC seconds)."""
        if self._key is None or now < self._session_end:
            return None
        from se.wire.crypto import SET_KEY_SIZE, Cipher

        self._session_end = now + SESSION_S
        payload = self._random.randbytes(SET_KEY_SIZE)
        self.cipher = Cipher(self._key, payload)
        return self.message(Function.SERVER_SET_KEY, payload)

    def close_session(self) -> None:
        """A new connection needs a new session."""
        self.cipher = None
        self._session_end = 0

    def decrypt(self, message: Message) -> Message | None:
        """What a message of the server holds; with a key, only what is encrypted in its session."""
        if self._key is None:
            return message
        if self.cipher is None or message.function != Function.MISC_ENCRYPTED:
            return None
        return self.cipher.decrypt(message.payload)

    def to_bytes(self, message: Message) -> bytes:
        """What goes on the wire: encrypted within a session, all but the message that opens it."""
        if self.cipher is None or message.function == Function.SERVER_SET_KEY:
            return message.to_bytes()
        self._wrapper_sequence = next_sequence(self._wrapper_sequence)
        random_bytes = self._random.randbytes(self.cipher.random_size)
        return self.cipher.encrypt(message, self._wrapper_sequence, random_bytes).to_bytes()


def encode_reports(
    reports: Iterable[ReportMessage], keys: Mapping[int, bytes], seed: int
) -> Iterator[bytes]:
    """The bytes of a recording: the messages of inverters whose every message is acknowledged.

    `keys` are by inverter; those without one speak in the clear.
    """
    encoders: dict[int, MessageEncoder] = {}
    for report in reports:
        inverter = report.inverter
        if inverter not in encoders:
            encoders[inverter] = MessageEncoder(inverter, keys.get(inverter), seed)
        encoder = encoders[inverter]
        opening = encoder.open_session(report.time)
        if opening is not None:
            yield encoder.to_bytes(opening)
        yield encoder.to_bytes(encoder.message(report.function, report.payload))

"""What the log shows of messages: one line from -vv on, their contents at -vvv, bytes at -vvvv.

No part of an inverter's key is shown, neither where it is set nor where it is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from se.log import LOG, MESSAGES, PARSED, RAW
from se.records import Telemetry
from se.sinks.json_lines import encode_line
from se.wire.functions import Function
from se.wire.keyring import KEY_PARAMETERS
from se.wire.message import Message
from se.wire.payloads import parse_payload
from se.wire.session import Received, Sent


class MessageLog:
    """Logs messages, and knows which of them may hold a part of a key."""

    def __init__(self) -> None:
        # the numbers of the last questions for other parameters than parts of a key
        self._harmless: deque[int] = deque(maxlen=64)
        self._key_asked_for = False

    def message(self, where: str, event: Received | Sent) -> None:
        """The message, its payload unless that is telemetry, and its bytes."""
        message, wrapper = event.message, event.wrapper
        LOG.log(MESSAGES, "%s%s: %s", where, " (encrypted)" if wrapper else "", message)
        if not LOG.isEnabledFor(PARSED) or self._is_secret(message):
            return
        if message.function != Function.SERVER_POST_DATA:
            LOG.log(PARSED, "%s", parse_payload(message.function, message.payload))
        self.raw(message.to_bytes())

    def telemetry(self, telemetry: Telemetry) -> None:
        """The lines of a message that was logged before."""
        if LOG.isEnabledFor(PARSED):
            for line in telemetry.lines:
                LOG.log(PARSED, "%s", encode_line(line).decode().rstrip())

    def raw(self, raw: bytes) -> None:
        """Bytes."""
        if LOG.isEnabledFor(RAW):
            for line in hex_lines(raw):
                LOG.log(RAW, "%s", line)

    def without_secret(self, raw: bytes) -> bytes:
        """What may be shown of bytes that are no message: a damaged answer may hold a part of the
        key that was asked for."""
        return b"" if self._key_asked_for else raw

    def _is_secret(self, message: Message) -> bool:
        """Whether this may be part of an inverter's key, which no log may show.

        An answer does not say of which parameter: only after a harmless question it is harmless.
        """
        if message.function == Function.RESP_PARAMS_SINGLE:
            return message.sequence not in self._harmless
        if message.function not in (Function.PARAMS_GET_SINGLE, Function.PARAMS_SET_SINGLE):
            return False
        is_key = parse_payload(message.function, message.payload).get("parameter") in KEY_PARAMETERS
        if not is_key:
            self._harmless.append(message.sequence)
        elif message.sequence in self._harmless:
            self._harmless.remove(message.sequence)
        self._key_asked_for = self._key_asked_for or is_key
        return is_key and message.function == Function.PARAMS_SET_SINGLE


def hex_lines(raw: bytes) -> Iterator[str]:
    """The bytes as hex, 16 a line."""
    for start in range(0, len(raw), 16):
        yield f"data: {raw[start : start + 16].hex(' ')}"

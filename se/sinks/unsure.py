"""What was sent to a server that never answers, and may be lost with the connection."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

UNSURE_S = 5.0  # carbon was seen to lose what came in its last 0.8 s
UNSURE_BYTES = 1 << 24  # more is not to be kept
MOMENT_S = 0.1


@dataclass(slots=True)
class _Sent:
    """Messages sent within `MOMENT_S`."""

    since: float
    messages: bytearray


class Unsure:
    """Messages in the order that they were sent in, until they must have arrived."""

    def __init__(self) -> None:
        self._sent: deque[_Sent] = deque()
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether no more should be sent until something is forgotten."""
        return self._size > UNSURE_BYTES

    @property
    def last(self) -> float:
        """The monotonic time of the last moment that something was sent in, 0 if there is none."""
        return self._sent[-1].since if self._sent else 0.0

    def add(self, message: bytes) -> None:
        """A message was sent just now."""
        now = time.monotonic()
        if not self._sent or now - self._sent[-1].since > MOMENT_S:
            self._sent.append(_Sent(now, bytearray()))
        self._sent[-1].messages += message
        self._size += len(message)

    def forget(self, unconfirmed: int) -> bool:
        """Drop what must have arrived by now; returns whether there was any.

        That is old, and none of the last `unconfirmed` bytes.
        """
        long_ago = time.monotonic() - UNSURE_S - MOMENT_S
        size = self._size
        while self._sent and self._sent[0].since < long_ago:
            rest = self._size - len(self._sent[0].messages)
            if rest < unconfirmed:
                break
            self._sent.popleft()
            self._size = rest
        return self._size < size

    def take(self) -> list[bytes]:
        """Everything, which is to be sent again and no longer remembered."""
        taken = [bytes(sent.messages) for sent in self._sent]
        self._sent.clear()
        self._size = 0
        return taken

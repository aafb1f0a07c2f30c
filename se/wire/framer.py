"""Finds the messages in a stream of bytes.

The framer knows two things: that a message begins with the magic number, and that its length says
where it ends. What fails the length or the checksum test gives up its 4 magic bytes only, and the
search goes on right behind them: so an intact message is found whatever stands before it or around
it, and the magic number inside a payload is no boundary.

Every byte that is fed comes out again in exactly one event, in order: in a message or discarded
with a reason. Which events come does not depend on how the stream was cut into pieces.
"""

from __future__ import annotations

from typing import NamedTuple

from se.wire.message import (
    MAGIC,
    OVERHEAD,
    MalformedMessageError,
    Message,
    Reason,
    frame_size,
)

NOISE_RUN = 4096  # noise without an end comes in pieces of this size


class Discarded(NamedTuple):
    """Bytes that belong to no message."""

    raw: bytes
    reason: Reason


class Framer:
    """Bytes in, messages and discarded bytes out; holds back at most one message.

    `raw` is the last message as it stood in the stream.
    """

    def __init__(self) -> None:
        self.raw = b""
        self._data = b""
        self._start = 0
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._data = self._data[self._start :] + data
        self._start = 0
        self._closed = False

    def close(self) -> None:
        """The rest of what is incomplete will not come: the next events give it up.

        At the end of a stream, or after a pause on a serial line; feeding may go on afterwards.
        """
        self._closed = True

    def next_event(self) -> Message | Discarded | None:
        """The next event, or None until more is fed."""
        data, start = self._data, self._start
        if not data.startswith(MAGIC, start):
            return self._noise()
        if len(data) - start < OVERHEAD:
            return self._rest(Reason.INCOMPLETE)
        size = frame_size(data, start)
        if size is None:
            return self._discard(Reason.LENGTH, start + OVERHEAD)
        end = start + size
        if end > len(data):
            return self._rest(Reason.INCOMPLETE)
        raw = data[start:end]
        try:
            message = Message.parse(raw)
        except MalformedMessageError as error:
            return self._discard(error.reason, end)
        self._start, self.raw = end, raw
        return message

    @property
    def pending(self) -> int:
        """How many bytes wait for what comes."""
        return len(self._data) - self._start

    def _noise(self) -> Discarded | None:
        """Bytes up to a magic number; without one in sight, wait until there are enough."""
        end = self._data.find(MAGIC, self._start)
        if end < 0 or end - self._start > NOISE_RUN:
            end = self._start + NOISE_RUN
            if end > len(self._data):
                return self._rest(Reason.NOISE)
            end = self._magic_or_end(self._start, end)
        return self._take(end, Reason.NOISE)

    def _rest(self, reason: Reason) -> Discarded | None:
        """What is left, once nothing more comes: up to a message that may stand inside it."""
        if not self._closed or self._start == len(self._data):
            return None
        return self._discard(reason, len(self._data))

    def _discard(self, reason: Reason, end: int) -> Discarded:
        """Give up the magic number at the start, and what follows up to another one or `end`."""
        return self._take(self._magic_or_end(self._start + 1, end), reason)

    def _magic_or_end(self, start: int, end: int) -> int:
        """Where a magic number begins between the two, or perhaps begins at the very end."""
        found = self._data.find(MAGIC, start, end)
        if found >= 0:
            return found
        for size in (3, 2, 1):
            if self._data.endswith(MAGIC[:size], start, end):
                return end - size
        return end

    def _take(self, end: int, reason: Reason) -> Discarded:
        raw = self._data[self._start : end]
        self._start = end
        return Discarded(raw, reason)

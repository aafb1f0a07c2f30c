"""A session in which our side may begin: what the RS485 master and the sender of commands share.

It is used like the session that it leads, with two differences: there is always a deadline (far
away, if nothing is to be done), and there may be more kinds of events.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from se.wire.functions import Function
from se.wire.message import SERVER, Message
from se.wire.session import Event, Received, Session

TURN_S = 60.0  # an inverter that never falls silent keeps an RS485 bus for so long
ANSWER_BIT = 0x80  # set in the function code of every answer, and of nothing else that is sent


class Conversation:
    """Leads a session; as it stands, it adds nothing to it. The first `handle_time` begins."""

    done = False

    def __init__(self, session: Session):
        self._session = session
        self._pending: deque[Event] = deque()
        self._now = 0.0
        self._since = 0.0
        self._seconds = 0.0

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now`."""
        self._now = now
        self._session.receive_data(data, now)

    def close(self) -> None:
        """The stream broke off: the next events give up what is incomplete."""
        self._session.close()

    def next_deadline(self) -> float:
        """When `handle_time` has something to do, if nothing is received before."""
        own = self._since + self._seconds
        idle = self._session.next_deadline()
        return own if idle is None else min(own, idle)

    def handle_time(self, now: float) -> None:
        """Do what is due at `now`; a clock that was set back makes everything due."""
        self._now = now
        self._session.handle_time(now)
        if not self._since <= now < self._since + self._seconds:
            self._handle_due()

    def events(self) -> Iterator[Event]:
        """What happened since the last call; what is made of a message stands before it.

        So no command counts as answered whose answer was not handed out.
        """
        yield from self._take_pending()
        for event in self._session.events():
            self._handle_event(event)
            self._pending.append(event)
            yield from self._take_pending()

    def data_to_send(self) -> bytes:
        """The bytes to send now, once."""
        return self._session.data_to_send()

    def _take_pending(self) -> Iterator[Event]:
        while self._pending:
            yield self._pending.popleft()

    def _wait(self, seconds: float) -> None:
        """Be called by `_handle_due` after that time."""
        self._since, self._seconds = self._now, seconds

    def _send(self, sequence: int, dest: int, function: int, payload: bytes = b"") -> Message:
        message = Message(sequence, SERVER, dest, function, payload)
        self._session.send(message)
        return message

    def _handle_due(self) -> None:
        """The time of the last `_wait` is over."""
        self._wait(math.inf)

    def _handle_event(self, event: Event) -> None:
        """Something was received or sent."""


def answer_to(event: Event, sequence: int) -> Message | None:
    """The message that answers what we sent under that number, whoever it comes from.

    Our own message that an adapter echoes is none.
    """
    if not isinstance(event, Received):
        return None
    message = event.message
    fits = message.sequence == sequence and message.function & ANSWER_BIT
    return message if fits and message.source != SERVER else None


def is_release(event: Event, sequence: int) -> bool:
    """Whether a slave gives back the bus that it was granted under that number."""
    answer = answer_to(event, sequence)
    return answer is not None and answer.function == Function.RESP_POLESTAR_MASTER_GRANT_ACK

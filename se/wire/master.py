"""The master of an RS485 bus: it grants the bus to each inverter in turn.

An inverter that is granted the bus sends what it has, each message is acknowledged, and gives the
bus back. Newer ones never give it back: one that has sent something and then falls silent has
finished. What comes outside of its turn is acknowledged all the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from se.wire.conversation import ANSWER_BIT, TURN_S, Conversation, is_release
from se.wire.functions import Function
from se.wire.session import Event, Notice, Received, Session, Undecrypted

SILENCE_S = 10.0  # a grant, or what gives it back, may get lost
FINISHED_S = 5.0  # the silence of one that has sent something
PAUSE_S = 5.0  # between two rounds
TURNS = 3  # so many of one kind are worth a word
SILENT = "does not answer: is it on this bus, awake, and is that its ID?"
NO_DATA = (
    "answers, but has sent no data yet: if it stays so, set its Server to RS485 and the protocol"
    " of its RS485 port to SE slave"
)


class _Slave:
    """What is known of a slave; it has the bus or had it before."""

    def __init__(self, inverter: int):
        self.inverter = inverter
        self.has_sent = False  # ever: data, or the question for the time
        self.answered = 0  # turns that it gave back
        self.missed = 0  # turns in a row without a word of it
        self.grant = 0
        self.turn_ends = 0.0


class Master(Conversation):
    """Leads the session of a bus over the slaves; `sequence` gives the number of each grant."""

    def __init__(self, session: Session, slaves: Sequence[int], sequence: Callable[[], int]):
        super().__init__(session)
        self._slaves = [_Slave(inverter) for inverter in slaves]
        self._round = deque(self._slaves)
        self._sequence = sequence
        self._turn: _Slave | None = None

    def _handle_due(self) -> None:
        """A silence, a turn that is too long, or the pause is over."""
        if self._turn is None:
            self._next()
        else:
            self._end_turn(self._turn)

    def _next(self) -> None:
        """Grant the bus to the next slave, or pause at the end of a round."""
        if not self._round:
            self._round.extend(self._slaves)
            self._wait(PAUSE_S)
            return
        slave = self._turn = self._round.popleft()
        slave.grant = self._sequence()
        slave.turn_ends = self._now + TURN_S
        slave.missed += 1
        self._send(slave.grant, slave.inverter, Function.POLESTAR_MASTER_GRANT)
        self._wait(SILENCE_S)

    def _handle_event(self, event: Event) -> None:
        slave = self._turn
        if slave is None:
            return
        if is_release(event, slave.grant):
            slave.missed = 0
            slave.answered += 1
            if slave.answered == TURNS and not slave.has_sent:
                self._pending.append(Notice(slave.inverter, NO_DATA))
            self._end_turn(slave)
        elif _is_data_of(slave.inverter, event):
            slave.missed = 0
            slave.has_sent = True
            self._wait(min(FINISHED_S, max(0.0, slave.turn_ends - self._now)))

    def _end_turn(self, slave: _Slave) -> None:
        if slave.missed == TURNS:
            self._pending.append(Notice(slave.inverter, SILENT))
        self._turn = None
        self._next()


def _is_data_of(slave: int, event: Event) -> bool:
    """Whether the slave sent something of its own; what cannot be decrypted names no sender."""
    if isinstance(event, Received):
        return event.message.source == slave and not event.message.function & ANSWER_BIT
    return isinstance(event, Undecrypted)

"""Commands to an inverter, and the conversation that has them answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from se.errors import CommandError
from se.wire.conversation import TURN_S, Conversation, answer_to, is_release
from se.wire.functions import Function
from se.wire.session import Answered, Event, Received, Session

ANSWER_S = 5.0
REPEATS = 3
RELEASE_S = 2.0  # an inverter that has answered and says nothing more gives the bus back silently


class Command(NamedTuple):
    """A command as it was written, and what it means."""

    text: str
    function: int
    parameters: tuple[int, ...]
    payload: bytes


@dataclass
class CommandQueue:
    """The commands for an inverter that it has not answered yet, and the numbers for them."""

    inverter: int
    commands: deque[Command]
    sequence: Callable[[], int]


class Commander(Conversation):
    """Sends the commands of a queue one at a time; the next when the one before is answered.

    The queue's `sequence` gives the number of each transaction; a command keeps its number when
    it is asked again. On an RS485 bus (`grant`) the inverter may speak only when it is granted
    the bus, and the next command waits until it gives the bus back.
    """

    def __init__(self, session: Session, queue: CommandQueue, *, grant: bool = False):
        super().__init__(session)
        self._queue = queue
        self._granting = grant
        self._number: int | None = None  # of the command that waits for its answer
        self._repeats = 0
        self._grant: int | None = None  # the number of the grant that was not given back
        self._turn_ends = 0.0

    def stop(self) -> None:
        """Wait for no answer any more: another commander goes on with the queue."""
        self._number = None

    def _handle_due(self) -> None:
        """Begin, or ask again. Raises CommandError where that was done often enough."""
        if self._number is None:
            self._next()
        elif self._repeats < REPEATS:
            self._repeats += 1
            self._ask(self._number)
        else:
            raise CommandError(
                f"inverter {self._queue.inverter:X} did not answer command"
                f" {self._queue.commands[0].text}"
                f" ({1 + REPEATS} times asked, {ANSWER_S:g} s waited each time)"
            )

    def _next(self) -> None:
        if self._queue.commands:
            self._number = self._queue.sequence()
            self._repeats = 0
            self._ask(self._number)
        else:
            self.done = True

    def _ask(self, number: int) -> None:
        inverter, command = self._queue.inverter, self._queue.commands[0]
        self._send(number, inverter, command.function, command.payload)
        if self._granting:
            self._grant = self._queue.sequence()
            self._turn_ends = self._now + TURN_S
            self._send(self._grant, inverter, Function.POLESTAR_MASTER_GRANT)
        self._wait(ANSWER_S)

    def _handle_event(self, event: Event) -> None:
        if self._grant is not None and is_release(event, self._grant):
            self._grant = None
        elif self._number is not None and (answer := answer_to(event, self._number)):
            self._number = None
            command = self._queue.commands.popleft()
            self._pending.append(Answered(command.function, command.parameters, answer))
            self._wait(RELEASE_S)
        else:
            if self._number is None and self._grant is not None and isinstance(event, Received):
                # it is still speaking: who spoke now would garble that
                self._wait(min(RELEASE_S, max(0.0, self._turn_ends - self._now)))
            return
        if self._number is None and self._grant is None:
            self._next()

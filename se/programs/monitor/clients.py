"""The conversation with each client that connects to us over the network."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from se.keys import SessionStore
from se.programs.monitor.complaints import Complaints
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.zone import LocalZone
from se.stream import Mark
from se.transport.network import Connection
from se.wire.commands import Command, Commander
from se.wire.framer import Discarded
from se.wire.functions import Function
from se.wire.message import FIRST_ROLE, Message, Reason
from se.wire.session import Answered, Event, Received, Recent, Server, Session, Undecrypted
from se.wire.strangers import OTHER, STRAY, stranger

WORK_S = 0.002  # how long one client keeps the others waiting at a time
MAX_BROKEN = 32  # pieces in a row that are no message
MAX_INVERTERS = 256  # on one connection


@dataclass
class Order:
    """Commands for an inverter that were not answered yet, and the numbers for them."""

    inverter: int
    commands: list[Command]
    sequence: Callable[[], int]


class Clients:
    """What the clients share: keys, output, and which inverter speaks on which connection."""

    def __init__(self, monitor: Monitor, store: SessionStore, order: Order | None = None):
        self.order = order
        self.commanded: Client | None = None  # the one that the order's inverter speaks with
        self.monitor = monitor
        self.store = store
        self.recent = Recent()
        self.server = Server(LocalZone().offset, os.urandom)
        self._connections: WeakValueDictionary[int, Connection] = WeakValueDictionary()
        self._complaints = Complaints()

    def open(self, connection: Connection) -> Client:
        """Converse on a new connection."""
        return Client(self, connection)

    @property
    def done(self) -> bool:
        """Whether all that was to be done is done: the commands of the order."""
        return self.order is not None and not self.order.commands

    def handle_time(self) -> None:
        """Send commands that are due. Raises CommandError where one is not answered."""
        if self.commanded is not None:
            self.commanded.handle_time()

    def claim(self, inverter: int, connection: Connection) -> bool:
        """The inverter speaks here now, and no longer elsewhere; whether that is news.

        A connection that nobody speaks on any more is closed; a gateway's has others.
        """
        before = self._connections.get(inverter)
        if before is connection:
            return False
        self._connections[inverter] = connection
        if before is not None and before not in self._connections.values():
            before.close(f"inverter {inverter:X} has a new one: {connection.name}")
        return True

    def check_key(self, inverter: int, name: str) -> None:
        """Tell, once, of an inverter that opens an encrypted session in vain."""
        reason = self.store.keyring.why_silent(inverter)
        if reason:
            text = "%s: inverter %X wants to encrypt: %s"
            self._complaints.warn((inverter, reason), text, name, inverter, reason.value)


class Client:
    """One connection; it is closed when it turns out to be no inverter's."""

    def __init__(self, clients: Clients, connection: Connection):
        self._clients = clients
        self._connection = connection
        self._session = Session(clients.store.keyring, clients.recent, clients.server)
        self._talk: Session | Commander = self._session
        self._start: bytes | None = b""  # of the stream, until the first message
        self._inverters = 0
        self._broken = 0
        self._verdict: str | None = None  # why the connection is to be closed
        self._more = False

    def receive(self, data: bytes | Mark) -> None:
        """Take the next bytes, or the END of the stream."""
        if isinstance(data, Mark):
            self._talk.close()
            return
        if self._start is not None:
            self._start = (self._start + data)[: 2 * STRAY]
            self._verdict = stranger(self._start)
        self._talk.receive_data(data, time.time())

    def work(self) -> bool:
        """Handle what was received, for a short while; returns whether there is more of it.

        Lines are written out before what they came from is acknowledged.
        """
        if self._verdict is None:
            clients = self._clients
            clients.monitor.handle(self._connection.name, self._events())
            clients.store.save_soon()
        if self._verdict is not None:
            self._connection.close(self._verdict, logging.WARNING)
            return False
        self._connection.send(self._talk.data_to_send())
        return self._more

    def handle_time(self) -> None:
        """Send what is due, as long as there is a connection."""
        if self._connection.is_open:
            self._talk.handle_time(time.time())
            self.work()

    def _events(self) -> Iterator[Event]:
        until = time.monotonic() + WORK_S
        self._more = True
        for event in self._talk.events():
            self._judge(event)
            yield event  # whatever the verdict is: its sender may take it for acknowledged
            if self._verdict:
                break
            if time.monotonic() >= until:
                return
        self._more = False

    def _judge(self, event: Event) -> None:
        """Find out who speaks here, and whether it is an inverter at all."""
        if isinstance(event, Discarded):
            self._judge_broken(event)
        elif isinstance(event, Answered):
            assert self._clients.order is not None
            self._clients.order.commands.pop(0)
        elif isinstance(event, Received | Undecrypted):
            self._start = None
            self._broken = 0
            if isinstance(event, Received) and event.message.source < FIRST_ROLE:
                self._meet(event.message)

    def _meet(self, message: Message) -> None:
        """An inverter speaks here."""
        clients, inverter = self._clients, message.source
        self._inverters += clients.claim(inverter, self._connection)
        if self._inverters > MAX_INVERTERS:
            self._verdict = f"more than {MAX_INVERTERS} inverters speak on it"
        if message.function == Function.SERVER_SET_KEY:
            clients.check_key(inverter, self._connection.name)
        elif clients.order and clients.order.inverter == inverter and clients.commanded != self:
            order, clients.commanded = clients.order, self
            self._talk = Commander(self._session, inverter, order.commands, order.sequence)

    def _judge_broken(self, event: Discarded) -> None:
        self._broken += 1
        if self._start is not None and event.reason is Reason.NOISE and len(event.raw) > STRAY:
            self._verdict = OTHER
        elif self._broken > MAX_BROKEN:
            self._verdict = "there are no messages in what it sends"

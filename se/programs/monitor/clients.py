"""The server that inverters connect to over the network, and its side of each connection."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from weakref import WeakValueDictionary

from se.keys import SessionStore
from se.programs.monitor.complaints import Complaints
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.zone import LocalZone
from se.stream import Mark
from se.transport.network import Connection
from se.wire.commands import Commander, CommandQueue
from se.wire.framer import Discarded
from se.wire.functions import Function
from se.wire.message import FIRST_ROLE, Message, Reason
from se.wire.other_protocols import MAX_LEADING_NOISE, UNKNOWN, identify_other_protocol
from se.wire.session import (
    Event,
    Received,
    RecentMessages,
    ServerEnvironment,
    Session,
    Undecrypted,
)

WORK_S = 0.002  # how long one client keeps the others waiting at a time
MAX_BROKEN = 32  # pieces in a row that are no message
MAX_INVERTERS = 256  # on one connection


class Server:
    """What the connections share: keys, output, and which inverter speaks on which of them.

    The commands of `queue` go out on the connection on which their inverter speaks.
    """

    def __init__(self, monitor: Monitor, store: SessionStore, queue: CommandQueue | None = None):
        self.queue = queue
        self.commanding: ClientHandler | None = None  # the one that sends the commands
        self.monitor = monitor
        self.store = store
        self.recent = RecentMessages()
        self.environment = ServerEnvironment(LocalZone().offset, os.urandom)
        self._connections: WeakValueDictionary[int, Connection] = WeakValueDictionary()
        self._complaints = Complaints()

    def open(self, connection: Connection) -> ClientHandler:
        """Serve a new connection."""
        return ClientHandler(self, connection)

    @property
    def done(self) -> bool:
        """Whether all that was to be done is done: the commands of the queue."""
        return self.queue is not None and not self.queue.commands

    def handle_time(self) -> None:
        """Send commands that are due. Raises CommandError where one is not answered."""
        if self.commanding is not None:
            self.commanding.handle_time()

    def register(self, inverter: int, connection: Connection) -> bool:
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
        reason = self.store.keyring.handshake_failure(inverter)
        if reason:
            text = "%s: inverter %X wants to encrypt: %s"
            self._complaints.warn((inverter, reason), text, name, inverter, reason.value)


class ClientHandler:
    """Our side of one connection; it is closed when it turns out to be no inverter's."""

    def __init__(self, server: Server, connection: Connection):
        self._server = server
        self._connection = connection
        self._session = Session(server.store.keyring, server.recent, server.environment)
        self._conversation: Session | Commander = self._session
        self._start: bytes | None = b""  # of the stream, until the first message
        self._inverters = 0
        self._broken = 0
        self._close_reason: str | None = None  # once the connection is to be closed
        self._more = False

    def receive(self, data: bytes | Mark) -> None:
        """Take the next bytes, or the END of the stream."""
        if isinstance(data, Mark):
            self._conversation.close()
            return
        if self._start is not None:
            self._start = (self._start + data)[: 2 * MAX_LEADING_NOISE]
            self._close_reason = identify_other_protocol(self._start)
        self._conversation.receive_data(data, time.time())

    def work(self) -> bool:
        """Handle what was received, for a short while; returns whether there is more of it.

        Lines are written out before what they came from is acknowledged.
        """
        if self._close_reason is None:
            self._server.monitor.handle(self._connection.name, self._events())
            self._server.store.save_soon()
        if self._close_reason is not None:
            self._connection.close(self._close_reason, logging.WARNING)
            return False
        self._connection.send(self._conversation.data_to_send())
        return self._more

    def handle_time(self) -> None:
        """Send what is due, as long as there is a connection."""
        if self._connection.is_open:
            self._conversation.handle_time(time.time())
            self.work()

    def stop_commands(self) -> None:
        """Leave the commands to another connection."""
        if isinstance(self._conversation, Commander):
            self._conversation.stop()

    def _events(self) -> Iterator[Event]:
        until = time.monotonic() + WORK_S
        self._more = True
        for event in self._conversation.events():
            self._check(event)
            yield event  # even if it is to be closed: the sender may take it for acknowledged
            if self._close_reason:
                break
            if time.monotonic() >= until:
                return
        self._more = False

    def _check(self, event: Event) -> None:
        """Find out who speaks here, and whether it is an inverter at all."""
        if isinstance(event, Discarded):
            self._check_discarded(event)
        elif isinstance(event, Received | Undecrypted):
            self._start = None
            self._broken = 0
            if isinstance(event, Received) and event.message.source < FIRST_ROLE:
                self._handle_inverter(event.message)

    def _handle_inverter(self, message: Message) -> None:
        """An inverter speaks here."""
        server, inverter = self._server, message.source
        self._inverters += server.register(inverter, self._connection)
        if self._inverters > MAX_INVERTERS:
            self._close_reason = f"more than {MAX_INVERTERS} inverters speak on it"
        if message.function == Function.SERVER_SET_KEY:
            server.check_key(inverter, self._connection.name)
        elif server.queue and server.queue.inverter == inverter and server.commanding is not self:
            if server.commanding is not None:
                server.commanding.stop_commands()
            server.commanding = self
            self._conversation = Commander(self._session, server.queue)

    def _check_discarded(self, event: Discarded) -> None:
        self._broken += 1
        if (
            self._start is not None
            and event.reason is Reason.NOISE
            and len(event.raw) > MAX_LEADING_NOISE
        ):
            self._close_reason = UNKNOWN
        elif self._broken > MAX_BROKEN:
            self._close_reason = "there are no messages in what it sends"

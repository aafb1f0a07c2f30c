"""A connection to carbon that loses nothing: it retries, and sends what is unsure again.

Carbon never answers. It drops what it received in the last moments before it is stopped, and the
only sign of that is the closed connection. So what was sent is kept until it is old enough and
the peer's machine has confirmed it (a machine without power confirms nothing); after a break all
of that goes out again. A value that arrives twice does no harm.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from dataclasses import dataclass

from se.errors import OutputError
from se.log import LOG
from se.sinks.tcp import Address, Stop, connect, unconfirmed

UNSURE_S = 5.0  # carbon was seen to lose what came in its last 0.8 s
UNSURE_BYTES = 1 << 24  # more is not kept: the sending waits, as carbon is no faster anyway
MOMENT_S = 0.1
CONNECT_S = 10.0
STALL_S = 60.0  # a full carbon stops reading for a while
SETTLE_S = 1.5  # after the last message, until the end of the connection
LINGER_S = 10.0  # without any progress
LAST_LINGER_S = 1.0  # where the program is to end
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class _Sent:
    """Messages sent within `MOMENT_S`."""

    since: float
    messages: bytearray


class Carbon:
    """Sends messages one by one, with a pause after each."""

    def __init__(
        self, address: Address, protocol: str, *, delay: float, patience: float, stop: Stop
    ):
        """`protocol` is what the port speaks, in words. `delay`: the pause in seconds. `patience`:
        for how many seconds a server is tried that has taken nothing yet; one that has is tried
        for ever."""
        self._address = address
        self._protocol = protocol
        self._delay = delay
        self._patience = patience
        self._stop = stop
        self._socket: socket.socket | None = None
        self._connected = False
        self._reached = False
        self._deadline: float | None = None
        self._pending: deque[bytes] = deque()
        self._unsure: deque[_Sent] = deque()
        self._unsure_size = 0
        self._pause = 0.0

    def send(self, message: bytes) -> None:
        """Send a message, waiting as long as it takes; once the program is to end, only at once.

        Raises OutputError if the server has never taken anything.
        """
        self._pending.append(message)
        self._send_pending()

    def rest(self) -> None:
        """Nothing to send at the moment: notice a break, and mend it."""
        if self._socket:
            try:
                self._check(self._socket)
            except OSError as error:
                self._lose(error)
            else:
                self._forget(self._socket)
        self._send_pending()

    def close(self) -> None:
        """Wait until the server has read everything; tells what could not be sent.

        Raises OutputError if the server does not confirm it.
        """
        self._send_pending()
        while self._socket and not self._pending:
            try:
                self._settle(self._socket)
                self._finish(self._socket)
            except OSError as error:
                self._lose(error)
                self._send_pending()
            else:
                break
        self._disconnect()
        if self._pending:
            LOG.warning("%s: ended before everything was sent", self._address)

    def _send_pending(self) -> None:
        while self._pending:
            connection = self._socket or self._connect()
            if connection is None:
                return
            try:
                self._check(connection)
                self._write(connection, self._pending[0])
            except OSError as error:
                self._lose(error)
                continue
            self._remember(self._pending.popleft())
            self._forget(connection)
            while self._unsure_size > UNSURE_BYTES and not self._stop.wait(MOMENT_S):
                self._forget(connection)
            if self._delay:
                self._stop.wait(self._delay)

    def _connect(self) -> socket.socket | None:
        """Connect, trying again after growing pauses; None if the program is to end."""
        self._deadline = self._deadline or time.monotonic() + self._patience
        while not self._stop.wait(self._pause):
            self._pause = min(max(2 * self._pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            try:
                self._socket = connect(self._address, CONNECT_S, self._stop)
            except (OSError, UnicodeError) as error:
                if not self._reached and not self._stop.requested:
                    self._give_up_at(self._deadline, error)
            else:
                if self._connected:
                    LOG.warning("%s: connected again", self._address)
                self._connected = True
                return self._socket
        return None

    def _give_up_at(self, deadline: float, error: OSError | UnicodeError) -> None:
        """Raise OutputError if waiting is of no use, or has been long enough."""
        if isinstance(error, UnicodeError) or (
            isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
        ):
            raise OutputError(f"{self._address.host}: unknown host") from error
        if time.monotonic() < deadline:
            return
        if isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError):
            raise OutputError(
                f"{self._address} closes every connection: is it carbon's {self._protocol} port?"
            ) from error
        raise OutputError(f"{self._address}: {error.strerror or error}") from error

    def _lose(self, error: OSError) -> None:
        """The connection broke: what is unsure is to be sent again, before all else."""
        LOG.warning("%s: connection lost (%s)", self._address, error.strerror or error)
        self._disconnect()
        self._pending.extendleft(bytes(sent.messages) for sent in reversed(self._unsure))
        self._unsure.clear()
        self._unsure_size = 0
        if not self._reached and self._deadline and not self._stop.requested:
            self._give_up_at(self._deadline, error)

    def _disconnect(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _check(self, connection: socket.socket) -> None:
        """Raise OSError if the server has closed the connection; what it says is of no interest."""
        try:
            if not connection.recv(1024):
                raise ConnectionError("closed by the server")
        except BlockingIOError:
            pass

    def _write(self, connection: socket.socket, message: bytes) -> None:
        rest = memoryview(message)
        while rest:
            try:
                rest = rest[connection.send(rest) :]
            except BlockingIOError:
                self._await_room(connection)

    def _await_room(self, connection: socket.socket) -> None:
        stop, room, _ = select.select([self._stop], [connection], [], STALL_S)
        if stop:
            raise InterruptedError("stopped while the server takes no data")
        if not room:
            raise TimeoutError(f"takes no data for {STALL_S:.0f} s")

    def _remember(self, message: bytes) -> None:
        now = time.monotonic()
        if not self._unsure or now - self._unsure[-1].since > MOMENT_S:
            self._unsure.append(_Sent(now, bytearray()))
        self._unsure[-1].messages += message
        self._unsure_size += len(message)

    def _forget(self, connection: socket.socket) -> None:
        """Drop what must have arrived by now, which shows that the connection is a good one."""
        long_ago = time.monotonic() - UNSURE_S - MOMENT_S
        while self._unsure and self._unsure[0].since < long_ago:
            rest = self._unsure_size - len(self._unsure[0].messages)
            if rest < unconfirmed(connection):
                break
            self._unsure.popleft()
            self._unsure_size = rest
            self._pause = 0.0
            self._reached = True

    def _settle(self, connection: socket.socket) -> None:
        """See whether the server stays until what was sent last is safe."""
        until = self._unsure[-1].since + SETTLE_S if self._unsure else 0.0
        self._check(connection)
        while time.monotonic() < until and not self._stop.wait(MOMENT_S):
            self._check(connection)

    def _finish(self, connection: socket.socket) -> None:
        """Say that this is the end, and wait for the server to say so too."""
        connection.shutdown(socket.SHUT_WR)
        left, since = unconfirmed(connection), time.monotonic()
        while time.monotonic() - since < (LAST_LINGER_S if self._stop.requested else LINGER_S):
            if select.select([connection], [], [], MOMENT_S)[0] and not connection.recv(1024):
                if unconfirmed(connection):
                    raise ConnectionError("closed by the server before it had everything")
                return
            if unconfirmed(connection) < left:
                left, since = unconfirmed(connection), time.monotonic()
        trouble = f"{self._address}: did not confirm that it has read everything"
        if not self._stop.requested:
            self._disconnect()
            raise OutputError(trouble)
        LOG.warning(trouble)

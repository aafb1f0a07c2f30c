"""A connection to carbon that loses nothing: it retries, and sends what is unsure again.

Carbon never answers. It drops what it received in the last moments before it is stopped, and the
only sign of that is the closed connection. So what was sent is kept until it is old enough and
the peer's machine has confirmed it (a machine without power confirms nothing); after a break all
of that goes out again. A value that arrives twice does no harm.
"""

from __future__ import annotations

from collections import deque

from se.errors import OutputError
from se.log import LOG
from se.sinks.connector import Connector
from se.sinks.tcp import Address, Connection
from se.sinks.unsure import MOMENT_S, Unsure
from se.stop import Stop

SETTLE_S = 1.5  # after the last message, until the end of the connection


class Carbon:
    """Sends messages one by one, with a pause after each."""

    def __init__(
        self, address: Address, protocol: str, *, delay: float, patience: float, stop: Stop
    ):
        """`protocol` is what the port speaks, in words. `delay`: the pause in seconds. `patience`:
        for how many seconds a server is tried that has taken nothing yet; one that has is tried
        for ever."""
        self._address = address
        self._delay = delay
        self._stop = stop
        self._connector = Connector(address, protocol, patience=patience, stop=stop)
        self._connection: Connection | None = None
        self._pending: deque[bytes] = deque()
        self._unsure = Unsure()

    def send(self, message: bytes) -> None:
        """Send a message, waiting as long as it takes; once the program is to end, only at once.

        Raises OutputError if the server has never taken anything.
        """
        self._pending.append(message)
        self._send_pending()

    def rest(self) -> None:
        """Nothing to send at the moment: notice a break, and mend it."""
        if self._connection:
            try:
                self._connection.check()
            except OSError as error:
                self._lose(error)
            else:
                self._forget(self._connection)
        self._send_pending()

    def close(self) -> None:
        """Wait until the server has read everything; tells what could not be sent.

        Raises OutputError if the server does not confirm it.
        """
        self._send_pending()
        while self._connection and not self._pending:
            try:
                self._connection.stay(self._unsure.last + SETTLE_S)
                is_confirmed = self._connection.finish()
            except OSError as error:
                self._lose(error)
                self._send_pending()
            else:
                self._disconnect()
                if not is_confirmed:
                    self._tell_unconfirmed()
        self._disconnect()
        if self._pending:
            LOG.warning("%s: ended before everything was sent", self._address)

    def _tell_unconfirmed(self) -> None:
        trouble = f"{self._address}: did not confirm that it has read everything"
        if not self._stop.requested:
            raise OutputError(trouble)
        LOG.warning(trouble)

    def _send_pending(self) -> None:
        while self._pending:
            self._connection = connection = self._connection or self._connector.connect()
            if connection is None:
                return
            try:
                connection.check()
                connection.write(self._pending[0])
            except OSError as error:
                self._lose(error)
                continue
            self._unsure.add(self._pending.popleft())
            self._forget(connection)
            while self._unsure.is_full and not self._stop.wait(MOMENT_S):
                self._forget(connection)
            if self._delay:
                self._stop.wait(self._delay)

    def _forget(self, connection: Connection) -> None:
        """Forget what must have arrived by now, which shows that the server is a good one."""
        if self._unsure.forget(connection.unconfirmed):
            self._connector.confirm()

    def _lose(self, error: OSError) -> None:
        """The connection broke: what is unsure is to be sent again, before all else."""
        self._disconnect()
        self._pending.extendleft(reversed(self._unsure.take()))
        self._connector.lose(error)

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

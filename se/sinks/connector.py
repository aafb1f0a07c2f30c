"""Connecting to one server again and again, until it is there or given up."""

from __future__ import annotations

import math
import socket
import time

from se.errors import OutputError
from se.log import LOG
from se.sinks.tcp import Address, Connection, connect
from se.stop import Stop

CONNECT_S = 10.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0


class Connector:
    """Makes the connections to a server, each after a longer pause as long as none is a good one.

    A server that has never taken anything is given up after some time, any other one never.
    """

    def __init__(self, address: Address, protocol: str, *, patience: float, stop: Stop):
        """`protocol` is what the port speaks, in words; `patience` are the seconds from the first
        attempt until the server is given up."""
        self._address = address
        self._protocol = protocol
        self._patience = patience
        self._stop = stop
        self._connected = False
        self._reached = False
        self._deadline = math.inf
        self._pause = 0.0

    def connect(self) -> Connection | None:
        """The next connection; None if the program is to end. Raises OutputError to give up."""
        if self._deadline == math.inf:
            self._deadline = time.monotonic() + self._patience
        while not self._stop.wait(self._pause):
            self._pause = min(max(2 * self._pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            try:
                connection = connect(self._address, CONNECT_S, self._stop)
            except (OSError, UnicodeError) as error:
                self._give_up_in_time(error)
            else:
                if self._connected:
                    LOG.warning("%s: connected again", self._address)
                self._connected = True
                return connection
        return None

    def confirm(self) -> None:
        """The server has taken something: it is a good one."""
        self._pause = 0.0
        self._reached = True

    def lose(self, error: OSError) -> None:
        """The connection broke. Raises OutputError to give up."""
        LOG.warning("%s: connection lost (%s)", self._address, error.strerror or error)
        self._give_up_in_time(error)

    def _give_up_in_time(self, error: OSError | UnicodeError) -> None:
        """Raise OutputError if trying again is of no use, or was tried for long enough."""
        if self._reached or self._stop.requested:
            return
        if isinstance(error, UnicodeError) or (
            isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
        ):
            raise OutputError(f"{self._address.host}: unknown host") from error
        if time.monotonic() < self._deadline:
            return
        if isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError):
            raise OutputError(
                f"{self._address} closes every connection: is it carbon's {self._protocol} port?"
            ) from error
        raise OutputError(f"{self._address}: {error.strerror or error}") from error

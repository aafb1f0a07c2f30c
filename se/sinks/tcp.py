"""TCP connections that do not keep a program from ending."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time
from typing import NamedTuple

from se.stop import Stop

STALL_S = 60.0  # a full carbon stops reading for a while
LINGER_S = 10.0  # without any progress
LAST_LINGER_S = 1.0  # where the program is to end
POLL_S = 0.1


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    """A connection to a server that only reads; its methods raise OSError where it is broken."""

    def __init__(self, sock: socket.socket, stop: Stop):
        """The socket does not block; `stop` ends all waiting."""
        self._socket = sock
        self._stop = stop

    @property
    def unconfirmed(self) -> int:
        """How many bytes the peer's machine has not confirmed yet."""
        answer = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", answer)[0])

    def check(self) -> None:
        """See that the server has not closed it; what it says is of no interest."""
        try:
            if not self._socket.recv(1024):
                raise ConnectionError("closed by the server")
        except BlockingIOError:
            pass

    def write(self, data: bytes) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                self._await_room()

    def _await_room(self) -> None:
        stop, room, _ = select.select([self._stop], [self._socket], [], STALL_S)
        if stop:
            raise InterruptedError("stopped while the server takes no data")
        if not room:
            raise TimeoutError(f"takes no data for {STALL_S:.0f} s")

    def stay(self, until: float) -> None:
        """See that the server does not close it before that monotonic time."""
        self.check()
        while time.monotonic() < until and not self._stop.wait(POLL_S):
            self.check()

    def finish(self) -> bool:
        """Say that this is the end, and wait for the server to say so too; whether it did."""
        self._socket.shutdown(socket.SHUT_WR)
        left, since = self.unconfirmed, time.monotonic()
        while time.monotonic() - since < (LAST_LINGER_S if self._stop.requested else LINGER_S):
            if select.select([self._socket], [], [], POLL_S)[0] and not self._socket.recv(1024):
                if self.unconfirmed:
                    raise ConnectionError("closed by the server before it had everything")
                return True
            if self.unconfirmed < left:
                left, since = self.unconfirmed, time.monotonic()
        return False

    def close(self) -> None:
        """Close it as it stands."""
        self._socket.close()


def connect(address: Address, seconds: float, stop: Stop) -> Connection:
    """Connect to the first of the host's addresses that answers.

    Each has so many seconds. Raises OSError, also where `stop` is requested, and UnicodeError for
    what can be no name.
    """
    trouble = 0
    for family, kind, protocol, _, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        trouble = sock.connect_ex(where)
        if trouble == errno.EINPROGRESS:
            trouble = _await_connected(sock, seconds, stop)
        if not trouble:
            return Connection(sock, stop)
        sock.close()
    raise OSError(trouble, os.strerror(trouble))


def _await_connected(sock: socket.socket, seconds: float, stop: Stop) -> int:
    """Wait for the server's answer; returns the error number, 0 is success."""
    stopped, answered, _ = select.select([stop], [sock], [], seconds)
    if stopped:
        return errno.ECANCELED
    if not answered:
        return errno.ETIMEDOUT
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

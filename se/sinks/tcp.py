"""TCP connections that do not keep a program from ending."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
from typing import NamedTuple, Protocol


class Stop(Protocol):
    """How the program is told to end."""

    requested: int

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond the request; returns whether there is one."""

    def fileno(self) -> int:
        """Becomes readable with the request."""


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def connect(address: Address, seconds: float, stop: Stop) -> socket.socket:
    """Connect to the first of the host's addresses that answers; the socket does not block.

    Each has so many seconds. Raises OSError, also where `stop` is requested, and UnicodeError for
    what can be no name.
    """
    trouble = 0
    for family, kind, protocol, _, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)
        trouble = connection.connect_ex(where)
        if trouble == errno.EINPROGRESS:
            trouble = _await_connected(connection, seconds, stop)
        if not trouble:
            return connection
        connection.close()
    raise OSError(trouble, os.strerror(trouble))


def _await_connected(connection: socket.socket, seconds: float, stop: Stop) -> int:
    """Wait for the server's answer; returns the error number, 0 is success."""
    stopped, answered, _ = select.select([stop], [connection], [], seconds)
    if stopped:
        return errno.ECANCELED
    if not answered:
        return errno.ETIMEDOUT
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def unconfirmed(connection: socket.socket) -> int:
    """How many bytes the peer's machine has not confirmed yet."""
    answer = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])

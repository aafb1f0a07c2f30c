"""The TCP server: one loop over listeners, connections, and whatever else can be selected.

There are no threads. Whatever is ready gets a turn, and every turn is short: a connection reads one
slice, and reads no more while its `Peer` has not handled that or its answers do not leave. So a
client that floods us, or reads nothing, is served slowly and delays nobody, and what is held for it
is a slice and the answers to that. What the bytes mean is the business of the peer.
"""

from __future__ import annotations

import functools
import logging
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from se.errors import DeviceError
from se.log import LOG
from se.stream import Mark
from se.transport.ports import explain

SLICE = 8192
SYSTEM_BUFFER = 1 << 16  # what the system holds of a connection in each direction
SILENCE_S = 120.0  # after this time without data a connection is dead
SWEEP_S = 1.0  # how often the dead ones are looked for
MAX_CONNECTIONS = 800
MAX_PER_HOST = 400
OTHER_FILES = 64  # what is open besides connections
BURST = 32  # connections accepted before others get their turn


class Peer(Protocol):
    """Who handles the bytes of one connection."""

    def receive(self, data: bytes | Mark) -> None:
        """Take the next bytes, or the END of the stream."""

    def work(self) -> bool:
        """Handle a little of what was received; returns whether there is more of it."""


class Selectable(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """The descriptor that becomes readable."""


class Connection:
    """The connection of one client; `name` and `host` tell who it is."""

    def __init__(
        self,
        sock: socket.socket,
        address: tuple[str, int],
        now: float,
        selector: selectors.BaseSelector,
        open_peer: Callable[[Connection], Peer],
    ):
        self.host, port = address
        self.name = f"{self.host}:{port}"
        self.is_open = True
        self.heard = now
        self._socket = sock
        self._selector = selector
        self._out = b""
        self._more = False  # whether the peer has not handled everything yet
        self._ended: str | None = None  # why nothing more will be received
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, self.serve)
        self._peer = open_peer(self)

    @property
    def has_work(self) -> bool:
        """Whether it wants its turn without waiting for the client."""
        return self.is_open and self._more and not self._out

    def send(self, data: bytes) -> None:
        """Send without waiting; what the client does not take yet follows later."""
        self._out += data
        if self.is_open and self._out:
            self._write()

    def close(self, reason: str, level: int = logging.INFO) -> None:
        """Close it now, with one line in the log."""
        if self.is_open:
            LOG.log(level, "%s: connection closed: %s", self.name, reason)
            self.is_open = False
            self._selector.unregister(self._socket)
            self._socket.close()

    def serve(self, now: float) -> None:
        """One turn: what is left to send, or to do, or to read comes first, in this order."""
        if not self.is_open:
            return
        if self._out:
            self._write()
        elif self._more or self._read(now):
            self._more = self._peer.work()
            if self._ended and not self._more:
                self.close(self._ended)

    def _read(self, now: float) -> bool:
        """Receive a slice, or the end; returns whether there was anything."""
        try:
            data = self._socket.recv(SLICE)
            self._ended = None if data else "the other side ended it"
        except BlockingIOError:
            return False
        except OSError as error:
            data, self._ended = b"", str(error.strerror)
        self.heard = now
        self._peer.receive(data or Mark.END)
        return True

    def _write(self) -> None:
        try:
            self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self.close(str(error.strerror))
            return
        events = selectors.EVENT_WRITE if self._out else selectors.EVENT_READ
        if self._selector.get_key(self._socket).events != events:
            self._selector.modify(self._socket, events, self.serve)


def open_listener(address: str, port: int) -> socket.socket:
    """A socket that accepts connections to an address of ours ("" is all). Raises DeviceError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            listener.setsockopt(socket.SOL_SOCKET, buffer, SYSTEM_BUFFER)
        listener.bind((address, port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise DeviceError(explain(error, port, "-tlpn")) from error
    listener.setblocking(False)
    return listener


class Network:
    """Everything that is served, a turn at a time."""

    def __init__(self, open_peer: Callable[[Connection], Peer]):
        self.connections: list[Connection] = []
        self._open_peer = open_peer
        self._selector = selectors.DefaultSelector()
        self._refused: Counter[str] = Counter()
        self._next_sweep = 0.0
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._room = MAX_CONNECTIONS
        if files != resource.RLIM_INFINITY:
            self._room = min(self._room, files - OTHER_FILES)

    def listen(self, listener: socket.socket) -> None:
        """Accept connections from now on."""
        self.watch(listener, functools.partial(self._accept, listener))

    def watch(self, source: Selectable, serve: Callable[[float], None]) -> None:
        """Call `serve` with the time (monotonic) whenever there is something to read."""
        self._selector.register(source, selectors.EVENT_READ, serve)

    def turn(self, timeout: float = SWEEP_S) -> None:
        """Serve everybody who is ready, once; wait for the first for `timeout` seconds."""
        busy = [each.serve for each in self.connections if each.has_work]
        ready = self._selector.select(0 if busy else min(timeout, SWEEP_S))
        now = time.monotonic()
        for serve in dict.fromkeys([key.data for key, _ in ready] + busy):
            serve(now)
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_S
            self._sweep(now)

    def close(self) -> None:
        """Close all connections; what was watched is left to its owner."""
        for connection in self.connections:
            connection.close("the program ends")
        self._selector.close()

    def _accept(self, listener: socket.socket, now: float) -> None:
        for _ in range(BURST):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._refused[str(error.strerror)] += 1
                return
            if self._has_room(address[0]):
                connection = Connection(sock, address, now, self._selector, self._open_peer)
                self.connections.append(connection)
                LOG.info("%s: connected to port %d", connection.name, sock.getsockname()[1])
            else:
                self._refused[f"too many from {address[0]}, or altogether"] += 1
                sock.close()

    def _has_room(self, host: str) -> bool:
        if len(self.connections) < min(self._room, MAX_PER_HOST):
            return True
        self._forget_closed()
        same = sum(connection.host == host for connection in self.connections)
        return len(self.connections) < self._room and same < MAX_PER_HOST

    def _forget_closed(self) -> None:
        self.connections = [each for each in self.connections if each.is_open]

    def _sweep(self, now: float) -> None:
        """Close what is dead, and tell who was refused."""
        for connection in self.connections:
            if now - connection.heard > SILENCE_S:
                connection.close(f"no data for {SILENCE_S:g} s")
        self._forget_closed()
        for reason, count in self._refused.items():
            LOG.warning("connections refused: %d: %s", count, reason)
        self._refused.clear()

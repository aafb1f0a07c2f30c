"""Devices as clients of a server: they connect, and connect again whenever they are cut off.

One loop serves all connections. What only has to happen in time (to send again, to connect again)
is looked at a few times a second.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from se.files.read import CHUNK
from se.log import complain
from se.simulator.device import Device
from se.stop import Stop

TICK_S = 0.1
RETRY_S = 1.0
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

Address = tuple[str, int]


class Behaviour(NamedTuple):
    """How the clients behave."""

    stay: bool = False  # go on when everything is acknowledged
    cut: int = 0  # hang up in the middle of every n-th message
    deaf: bool = False  # read nothing


def run_clients(groups: Sequence[Sequence[Device]], address: Address, behaviour: Behaviour) -> int:
    """Connect each group of devices until everything is acknowledged; returns the exit code.

    Ctrl-C and SIGTERM end it too. A server that is not there is waited for, with one complaint.
    """
    with Stop() as stop, selectors.DefaultSelector() as selector:
        selector.register(stop, READ)
        complaint = _Complaint()
        clients = [_Client(group, address, behaviour, selector, complaint) for group in groups]
        next_tick = time.monotonic()
        while not stop.requested and not all(client.done for client in clients):
            for key, events in selector.select(max(0.0, next_tick - time.monotonic())):
                if isinstance(key.data, _Client):
                    key.data.handle_ready(events)
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + TICK_S
                for client in clients:
                    client.handle_time()
        for client in clients:
            client.hang_up()
        return stop.exit_code if stop.requested else 0


class _Complaint:
    """Says once that there is no connection."""

    def __init__(self) -> None:
        self._made = False

    def __call__(self, address: Address, reason: str) -> None:
        if not self._made:
            complain(f"{address[0]}:{address[1]}: {reason}; trying again")
        self._made = True


class _Client:
    """One connection, with the devices that use it."""

    def __init__(
        self,
        devices: Sequence[Device],
        address: Address,
        behaviour: Behaviour,
        selector: selectors.BaseSelector,
        complain: _Complaint,
    ):
        self.done = False
        self._devices = devices
        self._address = address
        self._behaviour = behaviour
        self._selector = selector
        self._complain = complain
        self._socket: socket.socket | None = None
        self._connected = False
        self._watched = 0  # what the selector waits for
        self._choices: list[Any] = []  # addresses that are still to be tried
        self._retry_at = 0.0
        self._queued = 0
        self._cutting = False
        self._out = bytearray()

    def handle_time(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self.done:
            return
        if self._socket is None:
            if now >= self._retry_at:
                self._connect()
        elif self._connected and not self._out:  # what waits is not sent again
            for device in self._devices:
                device.handle_time(now)
            self._write()

    def handle_ready(self, events: int) -> None:
        """Read and write what the connection is ready for."""
        if not self._connected:
            self._finish_connecting()
            return
        if events & READ and not self._read():
            return
        self._write()

    def hang_up(self, pause: float = 0.0) -> None:
        """Close the connection; it may be opened again after the pause."""
        if self._socket is not None:
            self._watch(0)
            self._socket.close()
            self._socket = None
        self._connected = self._cutting = False
        self._out.clear()
        self._retry_at = time.monotonic() + pause

    def _connect(self) -> None:
        """Begin to connect, to the next of the server's addresses."""
        try:
            if not self._choices:
                self._choices = socket.getaddrinfo(*self._address, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = self._choices.pop(0)
            self._socket = socket.socket(family, kind, protocol)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(address)
        if code in (0, errno.EINPROGRESS):
            self._watch(WRITE)
        else:
            self._fail(os.strerror(code))

    def _finish_connecting(self) -> None:
        """The server has answered, or something else has."""
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(os.strerror(code))
            return
        self._connected = True
        self._choices.clear()
        for device in self._devices:
            device.connect(time.monotonic())
        self._write()

    def _fail(self, reason: str) -> None:
        """Try the next address, or all of them again after a pause."""
        if not self._choices:
            self._complain(self._address, reason)
        self.hang_up(0.0 if self._choices else RETRY_S)

    def _read(self) -> bool:
        """Read; returns whether the connection goes on."""
        assert self._socket is not None
        try:
            data = self._socket.recv(CHUNK)
        except OSError:
            data = b""
        if not data:
            self.hang_up(RETRY_S)
            return False
        for device in self._devices:
            device.receive_data(data, time.monotonic())
        return True

    def _write(self) -> None:
        """Write what the devices send, and end where everything is acknowledged."""
        assert self._socket is not None
        for device in self._devices:
            self._queue(device.data_to_send())
        try:
            if self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self.hang_up(RETRY_S)
            return
        if self._cutting and not self._out:
            self.hang_up()
        elif not self._behaviour.stay and all(device.finished for device in self._devices):
            self.done = True
            self.hang_up()
        else:
            self._watch((0 if self._behaviour.deaf else READ) | (WRITE if self._out else 0))

    def _queue(self, data: bytes) -> None:
        """Put a message behind those that wait, or half of it where it is to be cut."""
        if not data or self._cutting:
            return
        self._queued += 1
        if self._behaviour.cut and self._queued % self._behaviour.cut == 0:
            self._cutting = True
            data = data[: len(data) // 2]
        self._out += data

    def _watch(self, events: int) -> None:
        """Let the selector wait for the events."""
        assert self._socket is not None
        if events == self._watched:
            return
        if not events:
            self._selector.unregister(self._socket)
        elif self._watched:
            self._selector.modify(self._socket, events, self)
        else:
            self._selector.register(self._socket, events, self)
        self._watched = events

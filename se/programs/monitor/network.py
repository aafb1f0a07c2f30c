"""semonitor.py on the network: being the server that inverters connect to."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING

from se.errors import DeviceError
from se.keys import SessionStore
from se.log import LOG
from se.programs.monitor.clients import Server
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.options import NetworkOptions
from se.programs.monitor.privileges import User
from se.programs.monitor.sequence_file import SequenceFile
from se.stop import Stop
from se.transport.network import Network, open_listener
from se.wire.commands import CommandQueue
from se.wire.ports import FALLBACK_TCP_PORTS

if TYPE_CHECKING:
    from se.transport.services import Service

CHECK_S = 1.0


class NetworkSource:
    """Inverters that connect to us; the ports are opened by its making.

    That raises DeviceError, and UsageError for a user that we cannot become.
    """

    name = "the network"

    def __init__(self, options: NetworkOptions):
        self.inverters: Collection[int] = options.slaves
        self._user = User(options.user) if options.user else None
        self._queue = None
        if options.commands:
            number = SequenceFile().next_number
            self._queue = CommandQueue(options.slaves[0], deque(options.commands), number)
        self._services: tuple[Service, ...] = ()
        self._interface: tuple[str, int] | None = None
        self._next_check = 0.0
        self._listeners: list[socket.socket] = []
        self._unopened: list[DeviceError] = []
        with contextlib.ExitStack() as opened:
            for port in options.ports:
                self._listeners.append(opened.enter_context(open_listener("", port)))
            if options.interface:
                self._open_interface(options.interface, options, opened)
            self._opened = opened.pop_all()

    def _open_interface(
        self, name: str, options: NetworkOptions, opened: contextlib.ExitStack
    ) -> None:
        """DHCP, DNS, and the other ports that inverters may try, on the interface alone."""
        from se.transport.interfaces import find_interface
        from se.transport.services import open_services

        interface = find_interface(name)
        self._services = open_services(interface, any_mac=options.any_mac)
        self._interface = (name, socket.if_nametoindex(name))
        for service in self._services:
            opened.callback(service.close)
        for port in sorted({*FALLBACK_TCP_PORTS} - {*options.ports}, reverse=True):
            try:
                listener = open_listener(str(interface.address), port)
                self._listeners.append(opened.enter_context(listener))
            except DeviceError as error:
                self._unopened.append(error)

    def run(self, monitor: Monitor, store: SessionStore, stop: Stop) -> None:
        """Serve whoever connects, until a signal comes or all commands are answered.

        Raises CommandError, DataError, OutputError and BrokenPipeError.
        """
        if self._user:
            self._user.become()
        for error in self._unopened:
            LOG.warning("%s", error)
        server = Server(monitor, store, self._queue)
        with self._opened, contextlib.closing(Network(server.open)) as network:
            for listener in self._listeners:
                network.listen(listener)
                LOG.info("waiting for inverters on %s, port %d", *listener.getsockname())
            for service in self._services:
                network.watch(service, service.serve)
            network.watch(stop, lambda now: None)
            while not (stop.requested or server.done):
                network.turn()
                server.handle_time()
                self._check_interface()
        for service in self._services:
            for reason, count in service.dropped.items():
                LOG.info("%s: %d packets dropped: %s", service.name, count, reason)

    def _check_interface(self) -> None:
        """Raise DeviceError where the interface is another one under the same name.

        So it is after a USB adapter was plugged in again: our sockets are bound to what is gone,
        and whoever starts us again opens new ones.
        """
        if self._interface is None or time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + CHECK_S
        name, index = self._interface
        try:
            now = socket.if_nametoindex(name)
        except OSError:  # unplugged: it may come back
            return
        if now != index:
            raise DeviceError(f"{name}: the interface was removed and is back: start me again")

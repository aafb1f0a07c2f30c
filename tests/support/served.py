"""A server of inverters within a test, which gives it its turns, and inverters that talk to it."""

from __future__ import annotations

import json
import logging
import pathlib
import random
import socket
import time
from typing import Any

import pytest

from se.files.write import open_output
from se.keys import SessionStore
from se.programs.monitor.clients import Server
from se.programs.monitor.monitor import Monitor
from se.records import format_record
from se.sinks.json_lines import JsonLines
from se.transport.network import Connection, Network, open_listener
from se.wire.commands import CommandQueue
from se.wire.crypto import Cipher
from se.wire.framer import Framer
from se.wire.functions import Function
from se.wire.message import SERVER, Message

PATIENCE_S = 20
TURN_S = 0.002
INVERTER = 0x7F101234
NO_RECORDS = Message(1, INVERTER, SERVER, Function.SERVER_POST_DATA)  # keep-alive


def telemetry(number: int, source: int = INVERTER, *, records: int = 1) -> Message:
    """A message about optimizers whose dateTime is `number`."""
    payload = b"".join(
        format_record(0x0080, 0x10000000 + device, {"dateTime": number})
        for device in range(records)
    )
    return Message(number % 0xFFFF + 1, source, SERVER, Function.SERVER_POST_DATA, payload)


def acknowledgement(message: Message) -> Message:
    """What answers it."""
    return Message(message.sequence, SERVER, message.source, Function.RESP_ACK)


class Client:
    """A connection to a server, which reads only when it is asked to."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str = "127.0.0.1"):
        self.socket = socket.create_connection((host, port), PATIENCE_S, (source, 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self.is_closed = False
        self._unsent = b""
        self._framer = Framer()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, *messages: Message | bytes) -> None:
        """Send what surely fits into the buffers."""
        for message in messages:
            data = message if isinstance(message, bytes) else message.to_bytes()
            assert self.socket.send(data) == len(data)

    def flood(self, data: bytes) -> None:
        """Send something over and over, as much as goes without waiting."""
        try:
            while True:
                self._unsent = self._unsent or data
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            return

    def read(self) -> list[Message]:
        """What has arrived by now."""
        try:
            while data := self.socket.recv(1 << 16):
                self._framer.feed(data)
            self.is_closed = True
        except BlockingIOError:
            pass
        except ConnectionError:
            self.is_closed = True
        found = []
        while (event := self._framer.next_event()) is not None:
            assert isinstance(event, Message)
            found.append(event)
        return found


class Encrypted:
    """What an inverter with a key says, and what it understands of the answers."""

    def __init__(self, key: bytes, inverter: int = INVERTER, seed: int = 1):
        self._random = random.Random(seed)
        self._key = key
        self._inverter = inverter
        self.opening = self.new_session()

    def new_session(self) -> Message:
        """Its next session key."""
        payload = self._random.randbytes(34)
        self._cipher = Cipher(self._key, payload)
        self.opening = Message(500, self._inverter, SERVER, Function.SERVER_SET_KEY, payload)
        return self.opening

    def wrap(self, message: Message) -> Message:
        return self._cipher.encrypt(message, 1, self._random.randbytes(20))

    def unwrap(self, messages: list[Message]) -> list[Message | None]:
        """The messages inside; None for what is not under its session key."""
        return [self._cipher.decrypt(message.payload) for message in messages]


class Site:
    """Our server, on a port of its own; `with` closes it."""

    def __init__(
        self,
        folder: pathlib.Path,
        *keys: pathlib.Path,
        output: str = "",
        strict: bool = False,
        queue: CommandQueue | None = None,
    ):
        self._output = open_output(output or str(folder / "out.json"), append=True, lines=True)
        self._path = folder / "out.json"
        self.store = SessionStore([str(key) for key in keys])
        monitor = Monitor(JsonLines(self._output), strict=strict)
        self.server = Server(monitor, self.store, queue)
        self.network = Network(self.server.open)
        self._listener = open_listener("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.network.listen(self._listener)
        self._clients: list[Client] = []

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._clients:
            client.socket.close()
        self.network.close()
        self.store.save()
        self._listener.close()
        self._output.close()

    def connect(self, source: str = "127.0.0.1") -> Client:
        client = Client(self.port, source=source)
        self._clients.append(client)
        return client

    def serve(self, turns: int = 3) -> None:
        """Some turns: accept, read, and see that there is no more."""
        for _ in range(turns):
            self.network.turn(TURN_S)
            self.server.handle_time()

    def answers(self, client: Client, count: int = 1) -> list[Message]:
        """Serve until so many answers have come, or the connection was closed."""
        found: list[Message] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(found) < count and not client.is_closed:
            assert time.monotonic() < deadline, f"only {len(found)} answers of {count}"
            self.serve(1)
            found += client.read()
        return found

    def is_closed(self, client: Client) -> bool:
        """Serve until the server closed the connection; False if it seems not to."""
        for _ in range(100):
            self.serve(1)
            client.read()
            if client.is_closed:
                return True
        return False

    @property
    def open_connections(self) -> list[Connection]:
        return [each for each in self.network.connections if each.is_open]

    @property
    def times(self) -> list[int]:
        """The numbers of the telemetry messages in the output, in order."""
        return [time_of(json.loads(line)) for line in self._path.read_text().splitlines()]


def time_of(line: dict[str, Any]) -> int:
    """The dateTime of the first optimizer of a line."""
    first = next(iter(line["optimizers"].values()))
    number: int = first["dateTime"]
    return number


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was complained of since the last time."""
    found = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    caplog.clear()
    return found

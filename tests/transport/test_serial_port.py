"""Serial ports: pseudo-terminals, adapters on the network, ports that disappear."""

import contextlib
import os
import pathlib
import select
import socket
import subprocess
import sys
import termios
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import serial.rfc2217

from se.errors import DeviceError
from se.stream import Mark
from se.transport import serial_port
from se.transport.serial_port import SerialPort

pytestmark = pytest.mark.system

ROOT = pathlib.Path(__file__).parents[2]
PATIENCE_S = 10
BAUD = 115200


class Terminal:
    """A pseudo-terminal under a name of its own, which can be unplugged and plugged in again."""

    def __init__(self, folder: pathlib.Path):
        self.link = folder / "ttyUSB0"
        self.plug_in()

    def plug_in(self) -> None:
        self.other_end, self._descriptor = os.openpty()
        self.link.symlink_to(os.ttyname(self._descriptor))

    def unplug(self) -> None:
        self.link.unlink()
        os.close(self._descriptor)
        os.close(self.other_end)


@pytest.fixture
def terminal(tmp_path: pathlib.Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    with contextlib.suppress(OSError):
        made.unplug()


def read(port: SerialPort, wanted: Callable[[list[bytes | Mark]], bool]) -> list[bytes | Mark]:
    """What was read, without the empty ones, until it is what is wanted."""
    chunks: list[bytes | Mark] = []
    deadline = time.monotonic() + PATIENCE_S
    while not wanted(chunks):
        assert time.monotonic() < deadline, chunks
        chunk = port.read()
        if chunk is not Mark.IDLE:
            chunks.append(chunk)
    return chunks


def joined(chunks: list[bytes | Mark]) -> bytes:
    return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))


def receive(descriptor: int, size: int) -> bytes:
    """So many bytes at the other end."""
    data = b""
    while len(data) < size:
        assert select.select([descriptor], [], [], PATIENCE_S)[0], data
        data += os.read(descriptor, size - len(data))
    return data


def test_every_byte_passes_in_both_directions(terminal: Terminal) -> None:
    every = bytes(range(256)) * 4
    with SerialPort(str(terminal.link), BAUD) as port:
        os.write(terminal.other_end, every)
        assert joined(read(port, lambda chunks: len(joined(chunks)) >= len(every))) == every
        port.write(every)
        assert receive(terminal.other_end, len(every)) == every


def test_nothing_yet_is_empty(terminal: Terminal) -> None:
    with SerialPort(str(terminal.link), BAUD) as port:
        assert port.read() is Mark.IDLE


@pytest.mark.parametrize(
    ("baud", "speed"), [(115200, termios.B115200), (9600, termios.B9600), (57600, termios.B57600)]
)
def test_the_baud_rate_is_set(baud: int, speed: int, terminal: Terminal) -> None:
    with SerialPort(str(terminal.link), baud):
        assert termios.tcgetattr(terminal.other_end)[4:6] == [speed, speed]


def test_a_port_that_another_program_uses_is_refused(terminal: Terminal) -> None:
    name = str(terminal.link)
    with SerialPort(name, BAUD):
        with pytest.raises(DeviceError, match=f"^{name}: another program uses it$"):
            SerialPort(name, BAUD)
    SerialPort(name, BAUD).close()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("/dev/ttyUSB99", "there is no such port: is the adapter plugged in?"),
        ("/dev", "this is a directory, no serial port"),
        ("/dev/null", "this is no serial port"),
        (__file__, "this is no serial port"),
        ("socket://127.0.0.1:1", "Connection refused"),
        ("rfc2217://127.0.0.1:1", "Connection refused"),
        ("socket://127.0.0.1:99999", "expected socket://host:port or rfc2217://host:port"),
        ("socket://127.0.0.1", "expected socket://host:port or rfc2217://host:port"),
        ("telnet://127.0.0.1:1", "expected socket://host:port or rfc2217://host:port"),
    ],
)
def test_what_cannot_be_opened_is_one_line_that_says_why(name: str, text: str) -> None:
    with pytest.raises(DeviceError) as error:
        SerialPort(name, BAUD)
    assert str(error.value).startswith(f"{name}: ")
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_port_without_permission_names_the_group(terminal: Terminal) -> None:
    os.chmod(terminal.link, 0o600)
    os.chmod(terminal.link.parent, 0o755)
    command = [sys.executable, "-c", OPEN, os.path.realpath(terminal.link)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30)
    assert "permission denied" in done.stdout
    assert "usermod -a -G dialout" in done.stdout


OPEN = """
import os, sys
from se.transport.serial_port import SerialPort
os.setuid(65534)
try:
    SerialPort(sys.argv[1], 9600)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_lost_port_is_opened_again_and_what_was_complete_is_kept(terminal: Terminal) -> None:
    with SerialPort(str(terminal.link), BAUD) as port:
        os.write(terminal.other_end, b"before")
        assert joined(read(port, lambda chunks: len(joined(chunks)) == 6)) == b"before"
        terminal.unplug()
        assert read(port, lambda chunks: Mark.BROKEN in chunks) == [Mark.BROKEN]
        port.write(b"nobody is there")
        assert port.read() is Mark.IDLE
        terminal.plug_in()
        os.write(terminal.other_end, b"after")
        deadline = time.monotonic() + PATIENCE_S
        chunks: list[bytes | Mark] = []
        while joined(chunks)[-5:] != b"after":
            assert time.monotonic() < deadline, chunks
            os.write(terminal.other_end, b"after")
            chunks.append(port.read())
        assert Mark.BROKEN not in chunks


def test_pauses_grow_until_the_port_is_back(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    with SerialPort(str(terminal.link), BAUD) as port:
        terminal.unplug()
        assert read(port, lambda chunks: Mark.BROKEN in chunks) == [Mark.BROKEN]
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(time, "sleep", sleep)
        port._next_try = 0.0
        while clock[0] < 200:
            before, tried = clock[0], port._next_try
            port.read()
            port._opening.join()
            if port._next_try != tried:
                pauses.append(round(port._next_try - before, 1))
    assert pauses[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_port_that_takes_long_to_open_again_holds_up_nobody(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience, tries = threading.Event(), []

    def open_slowly(name: str, baud: int) -> serial.SerialBase:
        tries.append(name)
        patience.wait()
        return open_at_once(name, baud)

    open_at_once = serial_port._open
    with SerialPort(str(terminal.link), BAUD) as port:
        terminal.unplug()
        assert read(port, lambda chunks: Mark.BROKEN in chunks) == [Mark.BROKEN]
        terminal.plug_in()
        monkeypatch.setattr(serial_port, "_open", open_slowly)
        port._next_try = 0.0
        assert [port.read() for _ in range(10)] == [Mark.IDLE] * 10
        patience.set()
        port._opening.join()
        assert tries == [str(terminal.link)]
        os.write(terminal.other_end, b"here")
        assert joined(read(port, lambda chunks: len(joined(chunks)) == 4)) == b"here"


def test_a_lost_port_is_an_error_where_that_is_asked_for(terminal: Terminal) -> None:
    with SerialPort(str(terminal.link), BAUD, reopen=False) as port:
        terminal.unplug()
        with pytest.raises(DeviceError, match=f"^{terminal.link}: lost: "):
            read(port, lambda chunks: None in chunks)


def test_what_cannot_be_sent_is_logged(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serial_port, "WRITE_S", 0.05)
    with SerialPort(str(terminal.link), BAUD) as port:
        port.write(bytes(1 << 20))
        assert "not sent: Write timeout" in caplog.text
        os.write(terminal.other_end, b"still there")
        assert joined(read(port, lambda chunks: len(joined(chunks)) == 11)) == b"still there"


class Adapter:
    """An adapter on the network: each connection is a line that sends back what it gets."""

    def __init__(self, *, rfc2217: bool = False):
        self._rfc2217 = rfc2217
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        self._thread.join()

    def drop(self) -> None:
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.connections.append(connection)
                self._echo(connection)

    def _echo(self, connection: socket.socket) -> None:
        if self._rfc2217:
            # the stubs want a serial port on both sides; any line and anything with `write` will do
            line: Any = serial.serial_for_url("loop://", timeout=0)
            other_side: Any = types.SimpleNamespace(write=connection.send)
            manager = serial.rfc2217.PortManager(line, other_side)
        with contextlib.suppress(OSError):
            while data := connection.recv(4096):
                if self._rfc2217:
                    data = b"".join(manager.escape(b"".join(manager.filter(data))))
                connection.sendall(data)


@pytest.mark.parametrize("kind", ["socket", "rfc2217"])
@pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:setName:DeprecationWarning")
def test_an_adapter_on_the_network_is_a_port_that_is_opened_again(kind: str) -> None:
    adapter = Adapter(rfc2217=kind == "rfc2217")
    every = bytes(range(256)) * 8
    try:
        with SerialPort(f"{kind}://127.0.0.1:{adapter.port}", BAUD) as port:
            port.write(every)
            assert joined(read(port, lambda chunks: len(joined(chunks)) >= 2048)) == every
            adapter.drop()
            assert read(port, lambda chunks: Mark.BROKEN in chunks) == [Mark.BROKEN]
            while (
                port.read() is not Mark.IDLE
                or len(adapter.connections) == 1
                or port._opening.is_alive()
            ):
                pass
            port.write(every)
            assert joined(read(port, lambda chunks: len(joined(chunks)) >= 2048)) == every
    finally:
        adapter.close()

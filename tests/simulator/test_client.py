"""Simulated inverters as clients of a real server on the loopback."""

from __future__ import annotations

import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from se.simulator import __main__ as program
from se.simulator.site import Plan, Site
from se.wire.framer import Framer
from se.wire.functions import Function
from se.wire.keyring import Keyring
from se.wire.message import SERVER, Message
from se.wire.session import Received, RecentMessages, ServerEnvironment, Session

pytestmark = pytest.mark.system

ROOT = pathlib.Path(__file__).parents[2]
FIRST, SECOND = 0x7F101234, 0x7F105678
KEYS = {FIRST: bytes(range(16))}
PLAN = Plan(inverters=2, ids=(FIRST, SECOND), interval=3600, optimizers=2)
OPTIONS = f"--inverters 2 --ids {FIRST:x},{SECOND:x} --interval 3600 --optimizers 2".split()
PATIENCE_S = 20


class TestServer:
    """Acknowledges everything on every connection and keeps what was new."""

    __test__ = False

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        self.port: int = self.listener.getsockname()[1]
        self.keyring = Keyring(KEYS, [])
        self.recent = RecentMessages()
        self.sessions: dict[socket.socket, Session] = {}
        self.accepted = 0
        self.heard: list[Received] = []

    def close(self) -> None:
        for connection in (self.listener, *self.sessions):
            connection.close()

    def serve(self, done: Callable[[], bool]) -> None:
        """Until something is done."""
        give_up = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < give_up
            ready, _, _ = select.select([self.listener, *self.sessions], [], [], 0.02)
            for connection in ready:
                if connection is self.listener:
                    accepted, _ = self.listener.accept()
                    self.accepted += 1
                    answering = ServerEnvironment(lambda utc: 0, os.urandom)
                    self.sessions[accepted] = Session(self.keyring, self.recent, answering)
                else:
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        session = self.sessions[connection]
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.hang_up(connection)
            return
        session.receive_data(data, time.time())
        self.heard += [each for each in session.events() if isinstance(each, Received)]
        try:
            connection.sendall(session.data_to_send())
        except ConnectionError:
            self.hang_up(connection)

    def hang_up(self, connection: socket.socket) -> None:
        del self.sessions[connection]
        connection.close()

    def payloads(self) -> list[bytes]:
        """The telemetry that came, once each."""
        told = [each for each in self.heard if each.message.function == Function.SERVER_POST_DATA]
        return sorted(
            each.message.payload for each in told if each.message.payload and not each.repeated
        )


@pytest.fixture
def server() -> Iterator[TestServer]:
    made = TestServer()
    yield made
    made.close()


@contextmanager
def simulator(port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The simulator as a client."""
    command = [sys.executable, "-m", "se.simulator", "--connect", f"127.0.0.1:{port}", *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def expected() -> list[bytes]:
    return sorted(each.payload for each in Site(PLAN).reports() if each.payload)


def ended(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    return lambda: process.poll() is not None


def test_each_inverter_connects_tells_its_day_and_ends(server: TestServer) -> None:
    with simulator(server.port, *OPTIONS) as process:
        server.serve(ended(process))
        assert process.returncode == 0
        assert process.stderr and process.stderr.read() == b""
    assert server.accepted == 2
    assert server.payloads() == expected()
    sources = {each.message.source for each in server.heard}
    assert sources == {FIRST, SECOND}


def test_through_a_gateway_all_share_one_connection(
    server: TestServer, tmp_path: pathlib.Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{FIRST:x} {KEYS[FIRST].hex()}\n")
    with simulator(server.port, *OPTIONS, "--gateway", "--key", str(keys)) as process:
        server.serve(ended(process))
        assert process.returncode == 0
    assert server.accepted == 1
    assert server.payloads() == expected()
    wrapped = {each.message.source for each in server.heard if each.wrapper}
    assert wrapped == {FIRST}
    plain = {each.message.source for each in server.heard if not each.wrapper}
    assert plain == {FIRST, SECOND}  # the first one's session keys


def test_a_server_that_hangs_up_is_told_the_rest(server: TestServer) -> None:
    with simulator(server.port, *OPTIONS, "--gateway") as process:
        server.serve(lambda: len(server.heard) > 20)
        for connection in list(server.sessions):
            server.hang_up(connection)
        server.serve(ended(process))
        assert process.returncode == 0
    assert server.accepted == 2
    assert server.payloads() == expected()


def test_a_connection_that_is_reset_is_made_again(server: TestServer) -> None:
    with simulator(server.port, "--days", "0", "--stay") as process:
        server.serve(lambda: server.accepted == 1)
        (connection,) = server.sessions
        connection.sendall(
            Message(1, SERVER, Site(Plan()).inverters[0].id, Function.MISC_GET_TYPE).to_bytes()
        )
        server.serve(lambda: bool(server.heard))
        at_once = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        server.hang_up(connection)
        server.serve(lambda: server.accepted == 2)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr and process.stderr.read() == b""


def test_a_server_that_is_not_there_yet_is_complained_of_once_and_awaited() -> None:
    late = TestServer()
    late.listener.close()
    with simulator(late.port, *OPTIONS) as process:
        assert process.stderr
        complaint = process.stderr.readline().decode()
        assert complaint == f"127.0.0.1:{late.port}: Connection refused; trying again\n"
        late.listener = socket.create_server(("127.0.0.1", late.port))
        late.serve(ended(process))
        assert process.returncode == 0
        assert process.stderr.read() == b""
    late.close()
    assert late.payloads() == expected()


def test_every_address_of_a_name_is_tried(
    server: TestServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, addresses = socket.getaddrinfo, ("255.255.255.255", "127.0.0.9", "127.0.0.1")

    def resolve(host: str, port: int, type: int) -> list[object]:  # noqa: A002 (the library's name)
        return [choice for each in addresses for choice in real(each, port, type=type)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    code: list[int] = []
    thread = threading.Thread(target=server.serve, args=(lambda: bool(code),))
    thread.start()
    code.append(program.main([*OPTIONS, "--connect", f"localhost:{server.port}"]))
    thread.join()
    assert code == [0]
    assert capsys.readouterr().err == ""
    assert server.payloads() == expected()


def test_an_address_that_cannot_be_reached_is_complained_of() -> None:
    command = [sys.executable, "-m", "se.simulator", "--connect", "255.255.255.255:1"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert process.stderr.readline().endswith(b"; trying again\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 128 + signal.SIGINT


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_an_ipv6_address_stands_in_brackets() -> None:
    server = TestServer("::1")
    command = [sys.executable, "-m", "se.simulator", "--connect", f"[::1]:{server.port}", *OPTIONS]
    with subprocess.Popen(command, cwd=ROOT) as process:
        server.serve(ended(process))
        assert process.returncode == 0
    server.close()
    assert server.payloads() == expected()


def test_a_name_that_does_not_resolve_is_complained_of() -> None:
    command = [sys.executable, "-m", "se.simulator", "--connect", "nowhere.invalid:1"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr
        complaint = process.stderr.readline().decode()
        assert complaint.startswith("nowhere.invalid:1: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr.read() == b""


def test_connections_that_are_cut_in_mid_message_lose_nothing(server: TestServer) -> None:
    with simulator(server.port, *OPTIONS, "--cut", "5") as process:
        server.serve(ended(process))
        assert process.returncode == 0
    assert server.accepted > 10
    assert server.payloads() == expected()


def test_losses_and_noise_on_the_way_lose_nothing(server: TestServer) -> None:
    with simulator(server.port, *OPTIONS, "--lose", "30", "--noise", "4") as process:
        server.serve(ended(process))
        assert process.returncode == 0
    assert server.payloads() == expected()


def test_a_deaf_inverter_speaks_and_never_hears(server: TestServer) -> None:
    with simulator(server.port, *OPTIONS, "--deaf", "--gateway") as process:
        server.serve(lambda: len(server.heard) >= 3)
        assert {each.message.function for each in server.heard} == {Function.SERVER_GET_GMT}
        (connection,) = server.sessions
        server.hang_up(connection)
        server.serve(lambda: server.accepted == 2)  # it noticed when it spoke
        process.send_signal(signal.SIGINT)
        server.serve(ended(process))
        assert process.returncode == 128 + signal.SIGINT
        assert process.stderr and process.stderr.read() == b""


def test_a_server_that_reads_late_gets_every_answer_whole(server: TestServer) -> None:
    server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    command = Message(1, SERVER, Site(Plan()).inverters[0].id, Function.MISC_GET_TYPE)
    asked = 20000
    with simulator(server.port, "--days", "0", "--stay") as process:
        connection, _ = server.listener.accept()
        connection.sendall(command.to_bytes() * asked)
        framer = Framer()
        answers: set[object] = set()
        size = 0
        while size < asked * 24:
            data = connection.recv(1 << 16)
            size += len(data)
            framer.feed(data)
            while event := framer.next_event():
                answers.add(event)
        connection.close()
        assert process.poll() is None
    assert len(answers) == 1


def test_an_inverter_that_stays_answers_commands(server: TestServer) -> None:
    with simulator(server.port, *OPTIONS, "--stay", "--gateway") as process:
        server.serve(lambda: server.payloads() == expected())
        (connection,) = server.sessions
        command = Message(77, SERVER, SECOND, Function.MISC_GET_TYPE)
        connection.sendall(command.to_bytes())
        server.serve(lambda: server.heard[-1].message.function == 0x00B1)
        answer = server.heard[-1].message
        assert (answer.sequence, answer.source) == (77, SECOND)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        server.serve(ended(process))
        assert process.returncode == 0


def test_two_hundred_inverters_at_once(server: TestServer) -> None:
    options = "--inverters 200 --interval 3600 --optimizers 1".split()
    with simulator(server.port, *options) as process:
        server.serve(ended(process))
        assert process.returncode == 0
    site = Site(Plan(inverters=200, interval=3600, optimizers=1))
    assert server.accepted == 200
    assert server.payloads() == sorted(each.payload for each in site.reports() if each.payload)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--connect a:b", "is not HOST:PORT"),
        ("--connect a:0", "is not HOST:PORT"),
        ("--connect a:65536", "is not HOST:PORT"),
        ("--connect ::1", "is not HOST:PORT or [IPV6]:PORT"),
        ("--connect a --pty", "not allowed with"),
        ("--connect a -o x", "not allowed with"),
        ("--connect a --line 2", "--line is only for --pty"),
        ("--gateway", "--gateway is only for --connect"),
        ("--stay", "--stay is only for --connect"),
        ("--cut 2", "--cut is only for --connect"),
        ("--pty --deaf", "--deaf is only for --connect"),
        ("--lose 2", "--lose is only for --pty or --connect"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = program.main(options.split())
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    assert code == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.err.count("\n") == 1

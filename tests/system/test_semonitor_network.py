"""semonitor.py as the server of inverters: real processes, simulated inverters."""

import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.namespaces import (
    HOUSE_ADDRESS,
    DhcpClient,
    House,
    inside,
    run_in,
)
from tests.support.processes import ROOT, command, environment, run, wait_until
from tests.support.served import NO_RECORDS, Client, Encrypted, telemetry

KEYS = [bytes([number]) * 16 for number in (1, 2, 3)]
NOBODY = "nobody"
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running semonitor.py -t n, its output and its log."""

    def __init__(self, folder: pathlib.Path, *options: object, inside: tuple[str, ...] = ()):
        self.output, self.log = folder / "out.json", folder / "log"
        self.port = free_port()
        self._options = ["-p", self.port, "-o", self.output, "-d", self.log, "-v", *options]
        self._inside = inside
        self._stderr = open(folder / "stderr", "w+b")
        self.start()

    def start(self, *more: object) -> None:
        """Start it, and wait until it listens."""
        words = command("semonitor.py", *map(str, ["-t", "n", *self._options, *more]))
        seen = self.log.read_text().count("waiting for") if "-a" in more else 0
        self.process = subprocess.Popen(
            [*self._inside, *words], env=environment(), cwd=self.log.parent, stderr=self._stderr
        )
        wait_until(
            lambda: (
                self.process.poll() is not None
                or (self.log.exists() and self.log.read_text().count("waiting for") > seen)
            ),
            "it listens",
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and wait for its end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)

    def lines(self) -> list[bytes]:
        return self.output.read_bytes().splitlines()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._stderr.close()


def simulate(*options: object) -> bytes:
    """Run the simulator to its end: everything it has to tell is told."""
    words = [sys.executable, "-m", "se.simulator", *map(str, options)]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, env=environment(), timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(folder: pathlib.Path, *options: object) -> list[bytes]:
    """What the simulated inverters should make us write, in any order."""
    recording = folder / "recording.dat"
    recording.write_bytes(simulate(*options))
    keys = [options[options.index("--key") + 1]] if "--key" in options else []
    decoded = run("semonitor.py", *(word for key in keys for word in ("-k", key)), recording)
    return sorted(decoded.stdout.splitlines())


@pytest.fixture
def keys(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "keys"
    path.write_text("".join(f"{key.hex()}\n" for key in KEYS))
    return path


def test_what_inverters_tell_arrives_exactly_once(
    tmp_path: pathlib.Path, keys: pathlib.Path
) -> None:
    site = ["--inverters", 6, "--key", keys, "--interval", 1200, "--meter", "--battery"]
    with Server(tmp_path, "-k", keys) as server:
        where = ["--connect", f"127.0.0.1:{server.port}"]
        simulate(*site, *where, "--lose", 60, "--cut", 30, "--noise", 7)
        assert sorted(server.lines()) == told(tmp_path, *site)
        assert server.end() == 0
        assert "records" in server.log.read_text().splitlines()[-1]


def test_a_gateway_brings_the_messages_of_several_inverters(tmp_path: pathlib.Path) -> None:
    site = ["--inverters", 3, "--interval", 1800]
    with Server(tmp_path) as server:
        simulate(*site, "--connect", f"127.0.0.1:{server.port}", "--gateway")
        assert sorted(server.lines()) == told(tmp_path, *site)
        assert server.log.read_text().count("connected to port") == 1


def test_a_kill_loses_nothing_and_doubles_only_what_was_not_acknowledged(
    tmp_path: pathlib.Path, keys: pathlib.Path
) -> None:
    site = ["--inverters", 9, "--key", keys, "--interval", 200, "--optimizers", 3]
    expected = told(tmp_path, *site)
    kills = 2
    with Server(tmp_path, "-k", keys) as server:
        words = [sys.executable, "-m", "se.simulator", "--connect", f"127.0.0.1:{server.port}"]
        inverters = subprocess.Popen([*words, *map(str, site)], cwd=ROOT, env=environment())
        for kill in range(1, kills + 1):
            enough = kill * len(expected) // (kills + 1)
            wait_until(lambda enough=enough: len(server.lines()) > enough, "mid-load")
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            assert inverters.poll() is None
            server.start("-a")
        assert inverters.wait(60) == 0
        written = Counter(server.lines())
    assert set(written) == set(expected)
    more = written - Counter(expected)
    assert max(more.values(), default=0) <= kills
    assert more.total() <= kills * 9


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_all_connections(
    tmp_path: pathlib.Path, number: signal.Signals, code: int
) -> None:
    with Server(tmp_path) as server, Client(server.port) as inverter:
        inverter.send(telemetry(1))
        wait_until(inverter.read, "acknowledged")
        assert server.end(number) == code
        wait_until(lambda: inverter.read() or inverter.is_closed, "closed")
        assert (tmp_path / "stderr").read_bytes() == b""


def test_the_record_gives_the_same_lines(tmp_path: pathlib.Path, keys: pathlib.Path) -> None:
    record = tmp_path / "record.dat"
    with Server(tmp_path, "-k", keys, "-r", record) as server:
        site = ["--inverters", 4, "--key", keys, "--interval", 1800]
        simulate(*site, "--connect", f"127.0.0.1:{server.port}")
    keys.with_suffix(".sessions").unlink(missing_ok=True)
    decoded = run("semonitor.py", "-k", keys, record).stdout
    assert decoded.splitlines() == server.lines()


@pytest.mark.parametrize("encrypted", [False, True])
def test_commands_are_sent_when_their_inverter_connects(
    tmp_path: pathlib.Path, keys: pathlib.Path, encrypted: bool
) -> None:
    ids = ["--inverters", 2, "--ids", "7f101234,7f105678"]
    site = [*ids, "--speed", 1000, *(["--key", keys] if encrypted else [])]
    options = ["-c", "12,H239/33", "-s", "7f105678", "-k", keys]
    keys.write_text("".join(f"{key.hex()}\n" for key in KEYS[:2]))
    with Server(tmp_path, *options) as server:
        words = [sys.executable, "-m", "se.simulator", "--connect", f"127.0.0.1:{server.port}"]
        inverters = subprocess.Popen([*words, *map(str, site)], cwd=ROOT, env=environment())
        try:
            assert server.process.wait(20) == 0
        finally:
            inverters.kill()
            inverters.wait()
        lines: list[dict[str, Any]] = [json.loads(line) for line in server.lines()]
        answers = [line for line in lines if "command" in line]
        assert [answer["command"] for answer in answers] == [0x12, 0x33]
        assert answers[0]["response"] == 0x90
        if encrypted:
            assert answers[0]["data"]["value"] == int.from_bytes(KEYS[1][:4], "little")
        assert answers[0]["sequence"] + 1 == answers[1]["sequence"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("-t n -p", "expected one argument"),
        ("-t n -p 0", "-p: '0' is no port: expected a number from 1 to 65535"),
        ("-t n -p 22222,70000", "-p: '70000' is no port: expected a number from 1 to 65535"),
        ("-t n -p 80,80", "-p: 80 is given twice"),
        ("-t n day.dat", "day.dat: the network needs no data source"),
        ("-n eth1 -", "-: the network needs no data source"),
        ("-t n -m -s 7f101234", "-m is not for the network"),
        ("-t n -b 9600", "-b is not for the network"),
        ("-t n -f", "-f is not for the network"),
        ("-t n -c 33", "-c needs exactly one inverter: name it with -s"),
        ("-t n --any-mac", "--any-mac is for -n: without it there is no DHCP"),
        ("-p 80 day.dat", "-p is not for input from a file or stdin"),
        ("--user nobody day.dat", "--user is not for input from a file or stdin"),
        ("-t 4 -n eth1 /dev/ttyUSB0", "-n is not for -t 4"),
        ("-t n --user nobody-of-that-name", "--user nobody-of-that-name: there is no such user"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: str, line: str) -> None:
    result = run("semonitor.py", *options.split())
    assert result.returncode == 2
    assert result.stderr.decode().splitlines()[0].startswith("semonitor.py: ")
    assert line in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1


def test_a_taken_port_is_one_line_and_leaves_the_output_alone(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "out.json"
    output.write_text("precious\n")
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("semonitor.py", "-t", "n", "-p", port, "-o", output)
    assert result.returncode == 1
    assert result.stderr.decode() == (
        f"semonitor.py: port {port} is taken; see by which program:"
        f" sudo ss -tlpn 'sport = :{port}'\n"
    )
    assert output.read_text() == "precious\n"


def test_a_missing_interface_is_one_line_with_those_there_are() -> None:
    result = run("semonitor.py", "-n", "nowhere0", "-p", free_port())
    assert result.returncode == 1
    assert result.stderr.startswith(b"semonitor.py: nowhere0: no such network interface; there ")
    assert b" lo" in result.stderr
    assert result.stderr.count(b"\n") == 1


def status(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """What the kernel knows of a process: who it is, and what it may do."""
    content = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in content.splitlines())


@NEEDS_ROOT
def test_root_becomes_another_user_once_the_ports_are_open(
    tmp_path: pathlib.Path, keys: pathlib.Path
) -> None:
    keys.chmod(0o600)
    speech = Encrypted(KEYS[0])
    with Server(tmp_path, "-k", keys, "--user", NOBODY) as server:
        user = pwd.getpwnam(NOBODY)
        facts = status(server.process)
        assert facts["Uid"].split() == [str(user.pw_uid)] * 4
        assert facts["Gid"].split() == [str(user.pw_gid)] * 4
        assert set(facts["Groups"].split()) == {
            str(group) for group in os.getgrouplist(NOBODY, user.pw_gid)
        }
        assert int(facts["CapEff"], 16) == 0
        with Client(server.port) as inverter:
            for message in (speech.opening, speech.wrap(telemetry(1))):
                inverter.send(message)
                wait_until(inverter.read, "acknowledged")
        assert len(server.lines()) == 1
        assert "the session will not survive a restart" in server.log.read_text()


@contextmanager
def on_the_bus(house: House, folder: pathlib.Path, mac: str) -> Iterator[str]:
    """A machine with an address and a name server from DHCP; gives its namespace."""
    plugged = house.plug_in_inverter(mac)
    settings = pathlib.Path("/etc/netns") / plugged
    client = DhcpClient(plugged, folder)
    assert client.start() is not None
    settings.mkdir(parents=True)
    name_server = client.events()[-1].split()[3]
    (settings / "resolv.conf").write_text(f"nameserver {name_server}\n")
    try:
        yield plugged
    finally:
        client.stop()
        (settings / "resolv.conf").unlink()
        settings.rmdir()


def test_a_house_of_inverters_from_their_dhcp_request_to_the_json_lines(
    house: House, tmp_path: pathlib.Path, keys: pathlib.Path
) -> None:
    netns = ("ip", "netns", "exec", house.namespace)
    site = ["--inverters", 2, "--key", keys, "--interval", 900]
    keys.write_text(f"{KEYS[0].hex()}\n")
    options = ["-n", "inverters", "-k", keys, "--user", NOBODY, "-p", 22222]
    with (
        Server(tmp_path, *options, inside=netns) as server,
        on_the_bus(house, tmp_path, "00:27:02:11:22:33") as first,
        on_the_bus(house, tmp_path, "84:d6:c5:44:55:66") as second,
    ):
        dig = run_in(second, "dig", "+short", "prod.solaredge.com")
        assert dig.stdout == f"{HOUSE_ADDRESS}\n"
        assert run_in(second, "dig", "+short", "prod.solaredge.com", "AAAA").stdout == ""
        for port in (22222, 22221, 80):
            with inside(second), Client(port, HOUSE_ADDRESS, "0.0.0.0") as other:
                other.send(NO_RECORDS)
                wait_until(other.read, "acknowledged")
        words = ["env", "-C", str(ROOT), sys.executable, "-m", "se.simulator", *map(str, site)]
        done = run_in(first, *words, "--connect", "prod.solaredge.com")
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(server.lines()) == told(tmp_path, *site)
        assert server.end() == 0
        assert "DHCP: 00:27:02:11:22:33 has 192.168.237." in server.log.read_text()


def test_a_port_of_the_interface_that_is_taken_is_only_a_warning(
    house: House, tmp_path: pathlib.Path
) -> None:
    netns = ("ip", "netns", "exec", house.namespace)
    with inside(house.namespace):
        taken = socket.create_server(("", 80))
    options = ["-n", "inverters", "--user", pwd.getpwuid(os.geteuid()).pw_name]
    with taken, Server(tmp_path, *options, inside=netns) as server:
        wait_until(lambda: server.log.read_text().count("waiting for") == 2, "both are open")
        assert "WARNING port 80 is taken; see by which program" in server.log.read_text()
        with inside(house.namespace), socket.socket(type=socket.SOCK_DGRAM) as prober:
            prober.sendto(b"?", (HOUSE_ADDRESS, 53))
        run_in(house.namespace, "dig", f"@{HOUSE_ADDRESS}", "+short", "prod.solaredge.com")
        assert server.end() == 0
        assert "DNS: 1 packets dropped: malformed" in server.log.read_text()

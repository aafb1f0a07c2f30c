"""A real carbon: every value that is sent is read back with whisper, even over a restart."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from se.sinks.graphite import metrics
from se.sinks.readings import flatten, parse_line
from tests.support.day import START, day_lines
from tests.support.processes import command

CARBON = "carbon-cache"
WHISPER_PYTHON = "/usr/bin/python3"  # Debian's, for which python3-whisper is installed

SETTINGS = """
[cache]
STORAGE_DIR = {folder}
CONF_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
LOG_DIR = {folder}
PID_DIR = {folder}
USER =
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {ports[0]}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {ports[1]}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {ports[2]}
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
WHISPER_SPARSE_CREATE = True
WHISPER_FALLOCATE_CREATE = False
"""

READ_BACK = """
import json, os, sys, whisper
folder, start, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for place, _, files in os.walk(folder):
    for file in files:
        path = os.path.join(place, file)
        name = os.path.relpath(path, folder)[: -len(".wsp")].replace(os.sep, ".")
        (first, _, step), values = whisper.fetch(path, start - 1, end)
        stored = {first + step * at: v for at, v in enumerate(values) if v is not None}
        print(json.dumps([name, stored]))
"""


class CarbonServer:
    """carbon-cache on free ports and in a folder of its own."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        self.ports = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()
        (folder / "carbon.conf").write_text(SETTINGS.format(folder=folder, ports=self.ports))
        (folder / "storage-schemas.conf").write_text("[all]\npattern = .*\nretentions = 1s:3d\n")

    def start(self) -> None:
        config = f"--config={self._folder}/carbon.conf"
        with open(self._folder / "output", "ab") as output:
            self._process = subprocess.Popen(
                [CARBON, config, "--nodaemon", "start"], stdout=output, stderr=output
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[1])) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self._folder / "output").read_text())

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def stored_at_last(self, expected: dict[str, dict[int, float]]) -> dict[str, dict[int, float]]:
        """What is stored, as soon as it is what is expected: carbon writes behind."""
        deadline = time.monotonic() + 15
        while (found := self.stored()) != expected and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    def stored(self) -> dict[str, dict[int, float]]:
        command = [WHISPER_PYTHON, "-c", READ_BACK, str(self._folder / "whisper")]
        lines = subprocess.run(
            [*command, str(START - 7200), str(START + 86400)], stdout=subprocess.PIPE, check=True
        ).stdout.splitlines()
        found = {}
        for name, points in map(json.loads, lines):
            if name.startswith("test."):
                found[name] = {int(at): value for at, value in points.items()}
        return found


@pytest.fixture
def carbon(tmp_path: Path) -> Iterator[CarbonServer]:
    if not shutil.which(CARBON) or subprocess.call([WHISPER_PYTHON, "-c", "import whisper"]):
        pytest.skip("needs the Debian packages graphite-carbon and python3-whisper")
    server = CarbonServer(tmp_path)
    server.start()
    yield server
    server.stop()


def expected(lines: bytes) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for line in lines.splitlines():
        for reading in flatten(parse_line(line)).readings:
            for name, at, value in metrics("test", reading):
                found.setdefault(name, {})[at] = value
    return found


def sender(name: str, carbon: CarbonServer, delay: float) -> list[str]:
    port = carbon.ports[0 if name == "se2graphite.py" else 1]
    options = f"-b test -h 127.0.0.1 -p {port} --delay {delay}"
    return command(name, *options.split())


both = pytest.mark.parametrize("name", ["se2graphite.py", "pickle2graphite.py"])


@both
def test_a_day_is_stored_value_by_value(name: str, carbon: CarbonServer, tmp_path: Path) -> None:
    day = tmp_path / "day.json"
    day.write_bytes(day_lines())
    subprocess.run([*sender(name, carbon, 0), str(day)], check=True, timeout=60)
    values = expected(day_lines())
    assert carbon.stored_at_last(values) == values


@both
def test_a_restart_of_carbon_in_the_middle_loses_nothing(name: str, carbon: CarbonServer) -> None:
    count, delay = (7, 0.003) if name == "se2graphite.py" else (25, 0.06)
    lines = b"".join(day_lines().splitlines(keepends=True)[120 : 120 + count])
    with subprocess.Popen(
        sender(name, carbon, delay), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stderr
        process.stdin.write(lines)
        time.sleep(1)
        carbon.stop()
        time.sleep(0.5)
        carbon.start()
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 0
    assert messages.count(b"connection lost") == messages.count(b"connected again") >= 1
    values = expected(lines)
    assert carbon.stored_at_last(values) == values


def test_a_program_that_starts_before_carbon_waits_for_it(carbon: CarbonServer) -> None:
    carbon.stop()
    lines = day_lines().splitlines(keepends=True)[120]
    with subprocess.Popen(
        sender("se2graphite.py", carbon, 0), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        process.stdin.write(lines)
        process.stdin.close()
        carbon.start()
        assert process.wait(40) == 0
        assert process.stderr and process.stderr.read() == b""
    values = expected(lines)
    assert carbon.stored_at_last(values) == values


def test_text_sent_to_the_pickle_port_is_diagnosed(carbon: CarbonServer) -> None:
    port = f"-h 127.0.0.1 -p {carbon.ports[1]} --delay 0 --patience 1"
    result = subprocess.run(
        command("se2graphite.py", *port.split()),
        input=day_lines(), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1].decode()
    assert last.endswith("closes every connection: is it carbon's text port?")

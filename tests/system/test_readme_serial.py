"""The README's sections on serial ports and sekey.py: their examples run, their unit is one."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from se.records import format_record
from se.wire.message import SERVER, Message
from tests.support.processes import ROOT, environment, run, wait_until

README = (ROOT / "README.md").read_text()
SERIAL = README.partition("\n## On a serial port\n")[2].partition("\n## ")[0]
SEKEY = README.partition("\n## sekey.py\n")[2].partition("\n## ")[0]
SITE = ("--optimizers", "1", "--interval", "3600")
INVERTERS = "7f101234,7f105678"


def examples(section: str) -> list[str]:
    """The lines that call our programs."""
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if "semonitor.py" in line]


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder with our programs in `bin`, and simulated inverters behind `port`."""
    (tmp_path / "bin").mkdir()
    for script in ("semonitor.py", "sekey.py"):
        path = tmp_path / "bin" / script
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / script}" "$@"\n')
        path.chmod(0o755)
    yield tmp_path


def inverters(home: pathlib.Path, example: str) -> subprocess.Popen[bytes]:
    """What the example expects at its port."""
    line = "4" if "-t 4" in example else "2"
    site = ("--inverters", "2", "--ids", INVERTERS) if line == "4" else ("--ids", "7f101234")
    options = ["--pty", "--link", "port", "--line", line, *SITE, *site]
    process = subprocess.Popen(
        [sys.executable, "-m", "se.simulator", *options],
        stdout=subprocess.PIPE,
        cwd=home,
        env=environment(),
    )
    assert process.stdout is not None and process.stdout.readline()
    return process


def shell(home: pathlib.Path, example: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", example.replace("/dev/ttyUSB0", "port")],
        cwd=home,
        env=environment(PATH=f"{home / 'bin'}:{os.environ['PATH']}"),
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize("example", [line for line in examples(SERIAL) if " -c " not in line])
def test_an_example_that_reads_for_ever_writes_lines(example: str, home: pathlib.Path) -> None:
    output = home / "all.json"
    with inverters(home, example) as simulator, shell(home, example) as process:
        passive = "-t 4 -o" in example
        wait_until(lambda: output.exists() and (passive or output.stat().st_size), "it reads")
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        simulator.terminate()


@pytest.mark.parametrize("example", [line for line in examples(SERIAL + SEKEY) if " -c " in line])
def test_an_example_of_a_command_is_answered(example: str, home: pathlib.Path) -> None:
    with inverters(home, example) as simulator, shell(home, example) as process:
        output, _ = process.communicate(timeout=30)
        simulator.terminate()
    assert process.returncode == 0
    if "sekey.py" in example:
        assert (home / "7f101234.key").stat().st_size == 33
        (home / "day.dat").write_bytes(
            Message(1, 0x7F101234, SERVER, 0x0500, format_record(0x0300, 1, {})).to_bytes()
        )
        with shell(home, examples(SEKEY)[1]) as process:
            assert process.stdout is not None and b'"events"' in process.stdout.read()
    else:
        answers = [line for line in output.splitlines() if line.startswith(b'{"command"')]
        assert len(answers) == 1 + example.count("/30")


def test_the_answer_that_is_shown_is_the_answer(home: pathlib.Path) -> None:
    (example,) = (line for line in examples(SERIAL) if "-c 12,H329 " in line)
    with inverters(home, example) as simulator, shell(home, example) as process:
        output, _ = process.communicate(timeout=30)
        simulator.terminate()
    shown = re.findall(r"```json\n(.*?\n)```", SERIAL)
    assert shown and shown[0].encode() in output


def test_the_options_of_sekey_are_explained() -> None:
    options = set(re.findall(r"^  (-\w)", run("sekey.py", "--help").stdout.decode(), re.MULTILINE))
    assert options - {"-h"} == set(re.findall(r"^- `(-\w)", SEKEY, re.MULTILINE))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one_that_systemd_understands(tmp_path: pathlib.Path) -> None:
    (unit,) = re.findall(r"```ini\n(.*?)```", SERIAL, re.DOTALL)
    path = tmp_path / "solaredge-bus.service"
    path.write_text(unit.replace("/opt/solaredge/.venv/bin/semonitor.py", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr
    assert path.name not in verified.stderr

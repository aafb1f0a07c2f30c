"""What the README says is so."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest

import semonitor
from se.programs.monitor.options import NetworkOptions, Options, source_options
from se.records.__main__ import document
from tests.support import pcap_writer as writer
from tests.support import processes, site
from tests.support.namespaces import House, run_in

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_record_tables_are_those_of_the_code() -> None:
    house = (ROOT / "se/README.md").read_text()
    tables = house.split("<!-- records -->\n")[1].split("<!-- /records -->")[0]
    assert tables == document()


def test_the_documentation_is_printed() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "se.records"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == document()


def test_every_option_of_semonitor_is_explained() -> None:
    answer = subprocess.run(
        [sys.executable, "semonitor.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"^  (-\w)", answer.stdout, re.MULTILINE)) - {"-h"}
    assert options >= set("-a -b -c -d -f -k -m -n -o -r -s -t -v -x".split())
    explained = set(re.findall(r"^\| `(-\w)", README, re.MULTILINE))
    assert options == explained


SEEXTRACT = README.partition("\n## seextract.py\n")[2].partition("\n## ")[0]


def test_every_option_of_seextract_is_explained() -> None:
    shown = processes.run("seextract.py", "--help").stdout.decode()
    options = set(re.findall(r"^  (--?\w+)", shown, re.MULTILINE)) - {"-h", "--version"}
    assert options == set(re.findall(r"^\| `(--?\w+)", SEEXTRACT, re.MULTILINE))


def test_the_examples_of_seextract_run(tmp_path: pathlib.Path) -> None:
    (tmp_path / "captures").mkdir()
    connection = writer.Connection()
    capture = writer.pcap(
        [
            writer.dns_answer("prod.solaredge.com", [writer.PROD]),
            *writer.frames(site.conversation(connection, site.SENT)),
        ]
    )
    for name in ("day.pcap", "captures/day.pcap"):
        (tmp_path / name).write_bytes(capture)
    for program in ("seextract.py", "semonitor.py"):
        wrapper = tmp_path / program
        wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / program} "$@"\n')
        wrapper.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    examples = re.findall(r"^(?:seextract|semonitor)\.py (?!\[).*$", SEEXTRACT, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        command = ["sh", "-c", example]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), example
        written = tmp_path / example.split("-o ")[1].split()[0]
        assert written.stat().st_size > 1000
        written.unlink()


def test_the_unit_for_seextract_is_one(tmp_path: pathlib.Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    unit = tmp_path / "solaredge.service"
    unit.write_text(SEEXTRACT.partition("```ini\n")[2].partition("```")[0])
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert "solaredge" not in done.stderr
    assert done.returncode == 0


SERVER = README.partition("\n## As the inverter's server\n")[2].partition("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    """The fenced blocks of a language, without their indentation."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for kind, block in found if kind == language]


def test_the_examples_of_the_server_are_command_lines() -> None:
    examples = re.findall(r"semonitor\.py\)? (-.*)$", SERVER, re.MULTILINE)
    assert len(examples) == 6
    for example in examples:
        arguments = semonitor.parser().parse_args(shlex.split(example))
        taken = source_options(Options(**vars(arguments)))
        assert isinstance(taken, NetworkOptions)


def test_the_unit_of_the_server_is_one(tmp_path: pathlib.Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    unit = tmp_path / "solaredge-server.service"
    text = blocks("ini", SERVER)[-1]
    unit.write_text(text.replace("/opt/solaredge/.venv/bin/semonitor.py", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert "solaredge-server" not in done.stderr
    assert done.returncode == 0


def test_the_interface_of_the_readme_can_be_served(house: House, tmp_path: pathlib.Path) -> None:
    run_in(house.namespace, "ip", "link", "delete", "inverters")
    run_in(house.namespace, "ip", "link", "add", "eth1", "type", "bridge")
    for line in blocks("sh", SERVER)[0].splitlines():
        assert run_in(house.namespace, *line.removeprefix("sudo ").split()).returncode == 0
    log = tmp_path / "log"
    command = processes.command("semonitor.py", "-n", "eth1", "-v", "-d", str(log))
    inside = ["ip", "netns", "exec", house.namespace, *command]
    with subprocess.Popen(inside, env=processes.environment()) as server:
        processes.wait_until(
            lambda: log.exists() and log.read_text().count("waiting for") == 3, "it listens"
        )
        server.terminate()
    assert server.returncode == 0


def test_dnsmasq_understands_its_lines(house: House, tmp_path: pathlib.Path) -> None:
    if not shutil.which("dnsmasq"):
        pytest.skip("no dnsmasq (Debian: dnsmasq-base)")
    settings = tmp_path / "dnsmasq.conf"
    settings.write_text(blocks("", SERVER)[0])
    options = ["--no-resolv", "--keep-in-foreground", "--user=root", "--pid-file"]
    inside = ["ip", "netns", "exec", house.namespace, "dnsmasq", "-C", str(settings), *options]

    def answer(*question: str) -> str:
        words = ["dig", "@127.0.0.1", "+tries=1", "+time=1", "prod.solaredge.com", *question]
        return run_in(house.namespace, *words).stdout

    with subprocess.Popen(inside) as server:
        try:
            processes.wait_until(lambda: answer("+short") == "192.168.1.10\n", "an answer")
            assert "status: NOERROR" in answer("AAAA")
            assert "ANSWER: 0" in answer("AAAA")
        finally:
            server.terminate()

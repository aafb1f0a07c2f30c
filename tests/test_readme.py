"""What the README says is so."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from se.records.__main__ import document
from tests import pcap_writer as writer
from tests import processes, site

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_record_tables_are_those_of_the_code() -> None:
    tables = README.split("<!-- records -->\n")[1].split("<!-- /records -->")[0]
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

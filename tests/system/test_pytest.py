"""How the tests themselves are run."""

import pathlib
import subprocess
import sys

from tests.support.processes import ROOT

COLLECT = """
import sys
import Crypto.Cipher.AES  # runs `file` to find out about this machine
import pytest

def refuse(event, arguments):
    if event.split(".")[0] in ("subprocess", "socket") or event in ("os.fork", "os.system"):
        raise RuntimeError(f"while tests are collected: {event}{arguments[:2]}")

sys.addaudithook(refuse)
sys.exit(pytest.main(["-q", "--collect-only"]))
"""

HANGING = """
import subprocess, sys

PROGRAM = "import time; print('started', flush=True); time.sleep(60)"

def test_that_hangs():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            pass
"""


def test_nothing_happens_while_tests_are_collected() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECT], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_test_that_hangs_fails_and_its_programs_end_with_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "test_hanging.py"
    path.write_text(HANGING)
    settings = ["-s", "-c", str(ROOT / ".pytest.ini"), "-p", "tests.conftest", "-o", "timeout=1"]
    # the end of stderr is waited for, which the program has inherited
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=40,
    )  # fmt: skip
    assert "test_that_hangs - Failed: Timeout" in done.stdout

"""The programs as processes, for tests."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

ROOT = pathlib.Path(__file__).parents[2]


def command(script: str, *arguments: str) -> list[str]:
    """The command line of one of the programs."""
    return [sys.executable, str(ROOT / script), *arguments]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a program, in UTC unless TZ says otherwise."""
    return {**os.environ, "TZ": "UTC", "PYTHONPATH": str(ROOT), **variables}


def run(
    script: str,
    *arguments: object,
    stdin: bytes = b"",
    cwd: pathlib.Path | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end."""
    return subprocess.run(
        command(script, *map(str, arguments)),
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=120,
        env=environment(**variables),
        check=False,
    )


def start(
    script: str, *arguments: object, cwd: pathlib.Path | None = None, **pipes: Any
) -> subprocess.Popen[bytes]:
    """Start a program; `pipes` are stdin, stdout and stderr as for Popen."""
    words = command(script, *map(str, arguments))
    process: subprocess.Popen[bytes] = subprocess.Popen(words, cwd=cwd, env=environment(), **pipes)
    return process


def wait_until(fact: Callable[..., object], what: str, seconds: float = 20) -> None:
    """Wait for something that must become true."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.01)


def wait_until_it_heeds_sigterm(process: subprocess.Popen[bytes]) -> None:
    """Wait until a program has loaded what it needs and looks after SIGTERM itself."""
    status = pathlib.Path(f"/proc/{process.pid}/status")

    def caught() -> int:
        signals = re.search(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE)
        return int(signals[1], 16) & 1 << (signal.SIGTERM - 1) if signals else 0

    wait_until(caught, "a handler of SIGTERM")

"""A day of a site with everything on it, as its inverters send it and as semonitor.py writes it."""

from __future__ import annotations

import functools
import subprocess
import sys
import time

from tests.support.processes import environment, run

# yesterday: carbon throws away what is older than its archives
START = int(time.time()) // 86400 * 86400 - 86400

SITE = (
    "--inverters 2 --three-phase 1 --optimizers 4 --kinds 0000,0080,0082 --meter --battery"
    f" --date {time.strftime('%Y-%m-%d', time.gmtime(START))}"
)


@functools.cache
def day_messages(site: str = SITE) -> bytes:
    """The messages of the day."""
    command = [sys.executable, "-m", "se.simulator", *site.split()]
    return subprocess.run(command, stdout=subprocess.PIPE, env=environment(), check=True).stdout


@functools.cache
def day_lines(site: str = SITE) -> bytes:
    """The same as JSON lines."""
    return run("semonitor.py", "-d", "stderr", stdin=day_messages(site)).stdout

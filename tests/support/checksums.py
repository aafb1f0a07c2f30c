"""How many checksums a program computes: each message is to be framed once."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes import environment

_PROGRAM = """
import importlib, sys
from se.wire import message

crc16, calls = message.crc16, []
message.crc16 = lambda data: calls.append(data) or crc16(data)
assert importlib.import_module(sys.argv[1]).main(sys.argv[2:]) == 0
print(len(calls))
"""


def count_checksums(script: str, *arguments: object) -> int:
    """Run a script, such as `semonitor`, whose output the arguments send to a file."""
    command = [sys.executable, "-c", _PROGRAM, script, *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, env=environment(), check=True).stdout)

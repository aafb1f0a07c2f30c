"""How fast and how small the converters are: `python3 -m tests.bench.convert`.

Converts ten days of a site with two inverters and sixty optimizers, and an input three times as
long to show that memory does not grow. Prints lines and device readings a second and the peak
memory of both. The graphite programs send, without delay, to a server that only reads.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

from tests.bench.decode import ROOT, best, measure

SITE = "--inverters 2 --optimizers 30 --days 10 --interval 300".split()


def serve(listener: socket.socket) -> None:
    """Read whatever comes, one connection after the other."""
    while True:
        peer = listener.accept()[0]
        with peer:
            while peer.recv(1 << 20):
                pass


def count_readings(path: pathlib.Path) -> tuple[int, int]:
    """Lines, and readings of devices in them."""
    lines = readings = 0
    for line in path.open("rb"):
        lines += 1
        readings += sum(map(len, json.loads(line).values()))
    return lines, readings


def main() -> None:
    """Measure and print."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=[listener], daemon=True).start()
    port = str(listener.getsockname()[1])
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        site, day, longer = (f"{folder}/{name}" for name in ("site", "day", "longer"))
        subprocess.run([python, "-m", "se.simulator", *SITE, "-o", site], cwd=ROOT, check=True)
        subprocess.run([python, "semonitor.py", "-o", day, site], cwd=ROOT, check=True)
        subprocess.run(f"cat {f'{day} ' * 3} > {longer}", shell=True, check=True)
        lines, readings = count_readings(pathlib.Path(day))
        print(f"{lines} lines, {readings} readings, {os.path.getsize(day) / 1e6:.0f} MB")
        graphite = ("-h", "127.0.0.1", "-p", port, "--delay", "0")
        for program, *options in (
            ("se2state.py", "--once", "-o", f"{folder}/state"),
            ("se2csv.py", "-h", "-p", f"{folder}/table"),
            ("se2graphite.py", *graphite),
            ("pickle2graphite.py", *graphite),
        ):
            seconds, memory = best(python, program, *options, day, times=2)
            print(f"{program}: {lines / seconds:,.0f} lines a second,", end=" ")
            print(f"{readings / seconds:,.0f} readings a second;", end=" ")
            print(f"peak memory {memory:.0f} MB, of an input three times as long", end=" ")
            print(f"{measure(python, program, *options, longer)[1]:.0f} MB")


if __name__ == "__main__":
    main()

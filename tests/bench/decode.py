"""How fast and how small semonitor.py is: `python3 -m tests.bench.decode`.

Decodes ten days of a site with two inverters and sixty optimizers, and an input ten times as long
to show that memory does not grow. Prints records and megabytes a second, peak memory and start-up
times against those of Python itself.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
SITE = "--inverters 2 --optimizers 30 --days 10 --interval 300".split()


def measure(*command: str) -> tuple[float, float]:
    """Seconds and peak megabytes of a process; compiled modules are kept, as at a user's."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    assert status == 0, command
    return seconds, usage.ru_maxrss / 1024


def best(*command: str, times: int = 5) -> tuple[float, float]:
    """The fastest of several runs."""
    return min(measure(*command) for _ in range(times))


def count_records(path: pathlib.Path) -> int:
    """The records in a file, from the summary of semonitor.py."""
    command = [sys.executable, "semonitor.py", "-v", "-d", "stderr", "-o", os.devnull, str(path)]
    log = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    return int(log.split(" records (")[0].split()[-1])


def main() -> None:
    """Measure and print."""
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        site, longer, empty = (pathlib.Path(folder) / name for name in ("site", "longer", "empty"))
        empty.touch()
        simulator = [python, "-m", "se.simulator", *SITE, "-o", str(site)]
        subprocess.run(simulator, cwd=ROOT, check=True)
        subprocess.run(f"cat {f'{site} ' * 10} > {longer}", shell=True, check=True)
        records = count_records(site)
        size = site.stat().st_size / 1e6
        seconds, memory = best(python, "semonitor.py", str(site))
        print(f"{records} records, {size:.1f} MB: {seconds:.2f} s")
        print(f"{records / seconds:,.0f} records a second, {size / seconds:.1f} MB a second")
        print(f"peak memory {memory:.0f} MB, of an input ten times as long", end=" ")
        print(f"{measure(python, 'semonitor.py', str(longer))[1]:.0f} MB")
        nothing = best(python, "-c", "pass", times=20)[0]
        for arguments in (("--help",), (str(empty),)):
            start = best(python, "semonitor.py", *arguments, times=20)[0]
            print(f"start-up {arguments[0][-6:]}: {start * 1000:.0f} ms", end=", ")
            print(f"{start / nothing:.1f} times python3 -c pass")


if __name__ == "__main__":
    main()

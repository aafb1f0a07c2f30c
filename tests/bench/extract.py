"""How fast and how small seextract.py is, beside tshark: `python3 -m tests.bench.extract [MB]`.

Writes a capture of 200 MB in which one packet in 20 is SolarEdge traffic. Prints packets a second,
peak memory, and how much longer tshark takes to print the payloads of the same capture.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

# by its own name, as this file is run as a script
from tests.bench.decode import ROOT, measure

MEGABYTES = "200"


def main() -> None:
    """Measure and print."""
    size = sys.argv[1] if len(sys.argv) > 1 else MEGABYTES
    with tempfile.TemporaryDirectory() as folder:
        path, out = pathlib.Path(folder) / "day.pcap", pathlib.Path(folder) / "day.dat"
        # in a process of its own, whose memory is not counted as that of those which follow
        writer = [sys.executable, "-m", "tests.bench.capture", str(path), size]
        wrote = subprocess.run(writer, cwd=ROOT, capture_output=True, check=True).stdout
        packets, messages = map(int, wrote.split())
        seconds, memory = measure(sys.executable, "seextract.py", "-o", str(out), str(path))
        assert out.stat().st_size == messages, "messages are missing"
        print(f"{packets} packets, {size} MB, of it {messages / 1e6:.1f} MB of messages:")
        print(f"{seconds:.1f} s, {packets / seconds:,.0f} packets a second, peak {memory:.0f} MB")
        if not shutil.which("tshark"):
            print("tshark is not installed")
            return
        command = ["tshark", "-r", str(path), "-T", "fields", "-e", "tcp.payload"]
        theirs, memory = measure(*command)
        print(f"tshark: {theirs:.1f} s, peak {memory:.0f} MB: {theirs / seconds:.1f} times as long")


if __name__ == "__main__":
    main()

"""How semonitor.py serves many inverters at once: `python3 -m tests.bench.server`.

A third of the inverters encrypt. Of ten, one hangs up in the middle of messages, one sends garbage
before them, one reads nothing. One client more floods the server with false lengths, whose
checksums cost most. First the messages come at a steady rate, then each inverter sends its next one
as soon as the last was acknowledged. Prints messages a second, how long acknowledgements take,
memory, and whether every message was written exactly once.
"""

from __future__ import annotations

import argparse
import itertools
import pathlib
import random
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from se.programs.monitor.zone import LocalZone
from se.records import parse_telemetry
from se.simulator.encoder import MessageEncoder
from se.simulator.site import Plan, Site
from se.sinks.json_lines import encode_line
from se.wire.framer import Framer
from se.wire.functions import Function
from se.wire.message import MAGIC, Message

ROOT = pathlib.Path(__file__).parents[2]
FLOOD = (MAGIC + struct.pack("<HH", 0xFFFF, 0) + b"\x01" * 14) * 1000
RANDOM = random.Random(1)
CUT, GARBAGE, DEAF = 3, 6, 9  # which of ten inverters have which behaviour
PERCENT = (50, 90, 99, 99.9, 100)


class Part(NamedTuple):
    """What is sent: the messages of each inverter, and the lines that they must become."""

    messages: list[list[bytes]]
    lines: Counter[bytes]


def make_messages(count: int, each: int, keys: pathlib.Path) -> Part:
    """The messages of `count` inverters, and a file with the keys of a third of them."""
    part = Part([], Counter())
    site = Site(Plan(inverters=count, optimizers=8, interval=60))
    with open(keys, "w") as file:
        for number, inverter in enumerate(site.inverters):
            key = RANDOM.randbytes(16) if number % 3 == 0 else None
            if key:
                file.write(f"{inverter.id:X} {key.hex()}\n")
            encoder, raw = MessageEncoder(inverter.id, key, number), []
            reports = filter(lambda report: report.payload, site.inverter_reports(inverter))
            for report in itertools.islice(reports, each):
                if opening := encoder.open_session(report.time):
                    raw.append(encoder.to_bytes(opening))
                message = encoder.message(Function.SERVER_POST_DATA, report.payload)
                raw.append(encoder.to_bytes(message))
                if number % 10 != DEAF:
                    lines = parse_telemetry(report.payload, LocalZone()).lines
                    part.lines.update(map(encode_line, lines))
            part.messages.append(raw)
    return part


class Inverter:
    """One connection: the next message goes out when the last was acknowledged."""

    def __init__(self, raw: list[bytes], manner: int, port: int, ready: selectors.BaseSelector):
        self.latencies: list[float] = []
        self.is_waiting = False
        self._manner, self._port, self._ready = manner, port, ready
        self._left: Iterator[bytes] = iter(raw)
        self._message = next(self._left, b"")
        self._count, self._sent_at = 0, 0.0
        self._connect()

    @property
    def may_send(self) -> bool:
        return not self.is_waiting and bool(self._message)

    def _connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framer = Framer()
        if self._manner != DEAF:
            self._ready.register(self.socket, selectors.EVENT_READ, self)

    def send(self) -> None:
        """Send the message that has its turn."""
        self._count += 1
        if self._manner == CUT and self._count % 5 == 0:
            self.socket.send(self._message[: len(self._message) // 2])
            self._ready.unregister(self.socket)
            self.socket.close()
            self._connect()
        if self._manner == GARBAGE and self._count % 3 == 0:
            self.socket.send(RANDOM.randbytes(30))
        self._sent_at, self.is_waiting = time.perf_counter(), True
        self.socket.send(self._message)
        if self._manner == DEAF:
            self._go_on()

    def read(self) -> None:
        """Take an acknowledgement."""
        data = self.socket.recv(65536)
        assert data, "the server hung up"
        self._framer.feed(data)
        while isinstance(self._framer.next_event(), Message):
            self.latencies.append(time.perf_counter() - self._sent_at)
            self._go_on()

    def _go_on(self) -> None:
        self.is_waiting = False
        self._message = next(self._left, b"")


class Hostile:
    """Floods the server, and comes back when it is thrown out."""

    def __init__(self, port: int):
        self._port, self._socket = port, socket.socket()

    def flood(self) -> None:
        try:
            self._socket.send(FLOOD)
        except BlockingIOError:
            return
        except OSError:
            self._socket.close()
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setblocking(False)


def load(inverters: list[Inverter], hostile: Hostile, rate: float, count: int) -> float:
    """Send `count` messages, so many a second or (0) as fast as possible; returns the seconds."""
    ready, begin, sent = inverters[0]._ready, time.perf_counter(), 0
    turn = itertools.cycle(inverters)
    while sent < count or any(inverter.is_waiting for inverter in inverters):
        due = count if not rate else int((time.perf_counter() - begin) * rate)
        for inverter in itertools.islice(turn, len(inverters)):
            if sent < min(due, count) and inverter.may_send:
                inverter.send()
                sent += 1
        hostile.flood()
        for key, _ in ready.select(0.001):
            key.data.read()
    return time.perf_counter() - begin


def tell(title: str, inverters: list[Inverter], count: int, seconds: float) -> None:
    """Print how it went."""
    latencies = sorted(itertools.chain.from_iterable(each.latencies for each in inverters))
    for inverter in inverters:
        inverter.latencies.clear()
    print(f"{title}: {count / seconds:,.0f} messages a second; acknowledged within", end="")
    for percent in PERCENT:
        value = 1000 * latencies[int(percent / 100 * (len(latencies) - 1))]
        print(f"{',' if percent > PERCENT[0] else ''} {value:.1f} ms ({percent:g} %)", end="")
    print()


def memory(process: subprocess.Popen[bytes]) -> int:
    """What a process holds, in kB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def measure(options: argparse.Namespace, folder: pathlib.Path) -> None:
    """Serve, and print."""
    part = make_messages(options.inverters, options.each, folder / "keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    out, log = folder / "out", folder / "log"
    log.touch()
    words = f"semonitor.py -t n -p {port} -o {out} -d {log} -k {folder}/keys -v -a".split()
    with subprocess.Popen([sys.executable, *words], cwd=ROOT) as server:
        while "waiting for" not in log.read_text():
            time.sleep(0.1)
        before = memory(server)
        with selectors.DefaultSelector() as ready:
            inverters = [
                Inverter(raw, number % 10, port, ready) for number, raw in enumerate(part.messages)
            ]
            while log.read_text().count("connected to") < len(inverters):
                time.sleep(0.1)
            more = (memory(server) - before) / len(inverters)
            print(f"memory: {before / 1024:.1f} MB, and {more:.1f} kB for each connection")
            total = sum(map(len, part.messages))
            hostile = Hostile(port)
            half = total // 2
            tell("steady", inverters, half, load(inverters, hostile, options.rate, half))
            tell("at most", inverters, total - half, load(inverters, hostile, 0, total - half))
        more = (memory(server) - before) / len(inverters)
        print(f"memory in the end: {more:.1f} kB for each connection")
        time.sleep(1)
        server.terminate()
    written = Counter(out.read_bytes().splitlines(keepends=True))
    wrong = sum(abs(written[line] - times) for line, times in part.lines.items())
    print(f"{part.lines.total()} messages must be written exactly once: {wrong} are not")
    assert not wrong


def main() -> None:
    """Take the options, and measure."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--inverters", type=int, default=200)
    options.add_argument("--each", type=int, default=60, help="messages of an inverter")
    options.add_argument("--rate", type=float, default=1000, help="messages a second, at first")
    with tempfile.TemporaryDirectory() as folder:
        measure(options.parse_args(), pathlib.Path(folder))


if __name__ == "__main__":
    main()

"""Writes a big capture for the benchmark: `python3 -m tests.bench.capture FILE MEGABYTES`.

One packet in 20 is SolarEdge traffic, the rest are web pages over some hundred connections. Prints
the numbers of packets and of bytes of messages.
"""

from __future__ import annotations

import itertools
import pathlib
import random
import sys
from collections.abc import Iterator

from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.pcap_writer import Connection, Segment

STEP_S = 0.01


def inverters() -> Iterator[Segment]:
    """The same day over and over, over three connections that stay open."""
    connections = [Connection(f"192.168.1.{number}", 4000) for number in range(1, 4)]
    for connection in connections:
        yield from connection.open()
    for messages in itertools.cycle(itertools.zip_longest(*site.DAY.values())):
        for connection, message in zip(connections, messages, strict=True):
            if message:
                yield from connection.send(message.to_bytes())


def web() -> Iterator[Segment]:
    """Pages of 30 segments each, over connections of which many are open at a time."""
    rng = random.Random(1)
    contents = rng.randbytes(1 << 16)
    opened: list[Connection] = []
    for number in itertools.count():
        fresh = Connection(
            f"192.168.1.{50 + number % 50}", 1024 + number % 60_000, "198.51.100.7", 443
        )
        opened.append(fresh)
        yield from fresh.open()
        if len(opened) > 300:
            yield from opened.pop(rng.randrange(300)).close()
        for connection in rng.choices(opened, k=30):
            start = rng.randrange(len(contents) - 1400)
            yield from connection.answer(contents[start : start + rng.randint(100, 1400)])


def write_capture(path: pathlib.Path, size: int) -> tuple[int, int]:
    """Returns the numbers of packets and of messages' bytes in them."""
    packets = messages = 0
    said, pages = inverters(), web()
    answer = writer.dns_answer("prod.solaredge.com", [writer.PROD])
    with path.open("wb") as file:
        file.write(writer.pcap([answer]))
        while file.tell() < size:
            segments = [next(said), *itertools.islice(pages, 19)]
            now = writer.T0 + packets * STEP_S
            segments = [segment._replace(time=now) for segment in segments]
            file.write(writer.pcap(writer.frames(segments))[24:])
            packets += len(segments)
            messages += len(segments[0].payload)
    return packets, messages


if __name__ == "__main__":
    print(*write_capture(pathlib.Path(sys.argv[1]), int(sys.argv[2]) * 1_000_000))

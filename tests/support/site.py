"""A simulated site on a network: three inverters, what they say and what the server answers."""

from __future__ import annotations

import random
from collections.abc import Iterator

from se.records.optimizers import COMPACT_OPTIMIZER, OPTIMIZER
from se.simulator.encoder import encode_reports
from se.simulator.site import Plan, Site
from se.wire.functions import Function
from se.wire.message import SERVER, Message
from tests.support import pcap_writer as writer
from tests.support.pcap_writer import Connection, Segment

KEY = bytes(range(16))  # of the last inverter
INVERTERS = (0x7F101234, 0x7F105678, 0x7F109ABC)


def day(interval: int = 1800) -> dict[int, list[Message]]:
    """What each inverter says in a day; the last one encrypts."""
    kinds = (OPTIMIZER.number, COMPACT_OPTIMIZER.number)
    site = Site(Plan(3, 0, INVERTERS, 12, kinds, interval=interval))
    return {
        inverter.id: [
            Message.parse(raw)
            for raw in encode_reports(site.inverter_reports(inverter), {INVERTERS[-1]: KEY}, 1)
        ]
        for inverter in site.inverters
    }


DAY = day()
SENT = DAY[INVERTERS[0]][:14]  # some messages of a morning, not encrypted


def answers(sent: list[Message]) -> list[Message]:
    """The server's acknowledgements."""
    return [Message(m.sequence, SERVER, m.source, Function.RESP_ACK, b"") for m in sent]


def joined(sent: list[Message]) -> bytes:
    """The messages as bytes, as in a .dat file."""
    return b"".join(message.to_bytes() for message in sent)


def conversation(connection: Connection, sent: list[Message], seed: int = 1) -> list[Segment]:
    """The inverter's messages over a connection, cut anywhere, each one acknowledged."""
    rng = random.Random(seed)
    segments = connection.open()
    rest = b""
    for message, answer in zip(sent, answers(sent), strict=True):
        data = rest + message.to_bytes()
        keep = rng.randint(0, 30) if rng.random() < 0.5 else 0
        data, rest = data[: len(data) - keep], data[len(data) - keep :]
        segments += connection.send(*writer.cut_randomly(data, rng))
        segments += connection.answer(answer.to_bytes())
    return segments + connection.send(rest) + connection.close()


def busy_day(said: dict[int, list[Message]], *, v6: bool = False) -> list[Segment]:
    """All that is said, on a connection for each inverter, at the same time on a bad network."""
    rng = random.Random(7)
    conversations = []
    for number, (inverter, sent) in enumerate(said.items()):
        ends = ("2001:db8::{:x}", "2001:db8::10") if v6 else ("192.168.1.{}", writer.PROD)
        connection = Connection(
            ends[0].format(number + 20),
            4000 + number,
            ends[1],
            time=writer.T0 + number / 300,
            first=(2**32 - 500, 77),
        )
        segments = conversation(connection, sent, inverter)
        conversations.append(writer.shuffle(writer.repeat(segments, rng), rng))
    return writer.merge(*conversations)


def noise(count: int, time: float = writer.T0) -> Iterator[Segment]:
    """Other traffic: a web page that is fetched, whose beginning was captured or not."""
    rng = random.Random(3)
    for number in range(count):
        web = Connection("192.168.1.99", 50_000 + number, "198.51.100.7", 443, time=time + number)
        if number % 2:
            yield from web.open()
        yield from web.send(b"GET / HTTP/1.0\r\n\r\n")
        yield from web.answer(*(rng.randbytes(1400) for _ in range(60)))

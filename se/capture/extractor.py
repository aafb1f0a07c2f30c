"""From packet captures to the messages in them: where capture files and the protocol meet.

Bytes of files -> packets -> TCP segments -> the bytes of each direction of each connection -> a
framer of its own for each -> messages, in the order in which their last byte became known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from se.capture import tally
from se.capture.connection_log import ConnectionLog
from se.capture.error_policy import ErrorPolicy
from se.capture.formats import Packet
from se.capture.layers import Answer, parse_packet
from se.capture.reader import read_packets
from se.capture.segment import Data, Direction, Event, Gap, Opened, Segment
from se.capture.servers import Servers
from se.capture.side import Side
from se.capture.tcp import Reassembler
from se.errors import InputError, NoMessageError
from se.stream import Mark, Stream
from se.wire.framer import Discarded
from se.wire.message import Message


class CapturedMessage(NamedTuple):
    """A message, and its bytes as they were captured."""

    message: Message
    raw: bytes


class Extractor:
    """Packets in, messages out."""

    def __init__(self, servers: Servers, *, both: bool = False):
        """Take the messages to `servers`, and with `both` those from them too."""
        self._servers = servers
        self._both = both
        self._log = ConnectionLog(servers.name)
        self._sides: dict[Direction, Side] = {}
        self._unused = tally.Tally()
        self._reassembler = Reassembler(self._unused)
        self.packets = self._connections = 0
        self.messages = 0  # so many were given

    def receive(self, packet: Packet) -> Iterator[CapturedMessage]:
        """Take a packet; gives the messages that it completes."""
        self.packets += 1
        found = parse_packet(packet)
        if isinstance(found, Segment):
            return self._handle(self._reassembler.receive(found))
        if isinstance(found, Answer):
            self._servers.learn(found)
        else:
            self._unused.add(found, len(packet.data))
        return iter(())

    def close(self) -> Iterator[CapturedMessage]:
        """The captures have ended: give the messages behind holes that nothing will fill."""
        return self._handle(self._reassembler.close())

    def _handle(self, events: Iterator[Event]) -> Iterator[CapturedMessage]:
        for event in events:
            if isinstance(event, Opened):
                self._sides[event.direction] = Side(event, self._servers)
                continue
            side = self._sides[event.direction]
            if isinstance(event, Data):
                self._feed(side, event.data)
            else:
                side.break_off()
            yield from self._read(side)
            if not isinstance(event, Data | Gap):
                del self._sides[event.direction]

    def _feed(self, side: Side, data: bytes) -> None:
        if side.begins_with_tls(data):
            self._log.tls(side.direction.source)
            self._ignore(side, tally.ENCRYPTED)
            self._unused.add(tally.ENCRYPTED, len(data))
        else:
            side.feed(data)

    def _read(self, side: Side) -> Iterator[CapturedMessage]:
        """The side's messages, as far as they are wanted."""
        while (event := side.framer.next_event()) is not None:
            if isinstance(event, Discarded):
                self._discard(side, event)
                continue
            if not (side.is_taken or side.unused):
                self._decide(side, event)
            if side.unused:
                self._unused.add(side.unused, event.size)
            else:
                self.messages += 1
                yield CapturedMessage(event, side.framer.raw)

    def _discard(self, side: Side, discarded: Discarded) -> None:
        reason = side.unused or tally.OTHER_TRAFFIC
        if side.is_taken:
            reason = f"no message ({discarded.reason.value})"
        elif not side.unused and side.is_other_traffic(discarded):
            self._ignore(side, reason)
        self._unused.add(reason, len(discarded.raw))

    def _decide(self, side: Side, message: Message) -> None:
        """The side carries messages: see whether they are those that are wanted."""
        direction = side.way_to_server(message)
        if direction != side.direction and not self._both:
            self._ignore(side, tally.OTHER_DIRECTION)
        elif not self._servers.include(direction.dest):
            self._log.other_server(direction, is_older_than_answer=side.is_older_than_answer)
            self._ignore(side, tally.OTHER_SERVER)
        else:
            self._take(side, direction)

    def _take(self, side: Side, direction: Direction) -> None:
        side.is_taken = True
        other_side = self._sides.get(side.direction.reverse())
        if other_side is None or not other_side.is_taken:
            self._connections += 1
            self._log.messages(direction)
        if not self._servers.are_known:
            self._log.unknown_server()

    def _ignore(self, side: Side, reason: str) -> None:
        side.unused = reason
        self._reassembler.ignore(side.direction, reason)

    def summary(self) -> str:
        """One line that accounts for everything that was received."""
        return (
            f"{self.packets} packets, {self._connections} connections with messages, "
            f"{self.messages} messages; {self._reassembler.lost} bytes were not captured; "
            f"not used: {self._unused}"
        )


def extract_messages(extractor: Extractor, packets: Stream[Packet]) -> Stream[CapturedMessage]:
    """The messages in packets; marks are passed on.

    An InputError of the packets comes after what is left then, as it does at the end.
    """
    try:
        for packet in packets:
            if isinstance(packet, Mark):
                yield packet
            else:
                yield from extractor.receive(packet)
    except InputError:
        yield from extractor.close()
        raise
    yield from extractor.close()


def decode_capture(chunks: Stream[bytes], name: str, *, follow: bool) -> Stream[Message]:
    """The inverters' messages in one capture, whatever server they went to; marks are passed on.

    `chunks` are those of `se.files.read.read_chunks`, called with the same `follow`. Raises
    InputError where the capture is damaged, after all that comes before, and NoMessageError at
    the end of one without any.
    """
    extractor = Extractor(Servers("", resolve=lambda _: ()))
    captures = ((name, chunk) for chunk in chunks)
    packets = read_packets(captures, ErrorPolicy(is_folder=False, follow=follow))
    for found in extract_messages(extractor, packets):
        yield found if isinstance(found, Mark) else found.message
    if not extractor.messages:
        raise NoMessageError(f"{name}: no SolarEdge message in {extractor.packets} packets")

"""From packet captures to the messages in them: where capture files and the protocol meet.

Bytes of files -> packets -> TCP segments -> the bytes of each direction of each connection -> a
framer of its own for each -> messages, in the order in which their last byte became known.

A direction is decided upon at its first message. Unless it is that of a server that is asked for,
it is other traffic when nothing in its first bytes turns out to be a message; on other ports than
the protocol's that is known at once where it begins with more than a few bytes of anything else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from se.capture import tally
from se.capture.error_policy import ErrorPolicy
from se.capture.formats import Packet
from se.capture.layers import Answer, parse_packet
from se.capture.reader import read_packets
from se.capture.segment import Data, Direction, Event, Gap, Opened
from se.capture.servers import PORTS, Servers
from se.capture.tcp import Reassembler
from se.errors import InputError, NoMessageError
from se.log import LOG
from se.stream import Mark, Stream
from se.wire.framer import Discarded, Framer
from se.wire.message import FIRST_ROLE, MAX_PAYLOAD, Message, Reason

# After so many bytes a message must have begun, wherever in one the capture did.
PROBE = MAX_PAYLOAD + 1024
# A longer beginning on other ports than the protocol's is none of a stray byte or two.
STRAY = 64


class _Side:
    """One direction of a connection: its framer, and whether its messages are wanted."""

    __slots__ = (
        "direction",
        "by_client",
        "framer",
        "at_start",
        "fed",
        "is_taken",
        "unused",
        "answers",
    )

    def __init__(self, opened: Opened, answers: int):
        self.direction = opened.direction
        self.answers = answers  # so many DNS answers had named the server when it was opened
        self.by_client = opened.by_client
        self.framer = Framer()
        self.at_start = opened.by_client is not None  # what comes first begins the connection
        self.fed = 0
        # not yet decided upon: neither of the two
        self.is_taken = False
        self.unused: str | None = None

    def uses_port_of_protocol(self) -> bool:
        """Whether one of its ends has a port that servers of the protocol have."""
        return not PORTS.isdisjoint((self.direction.dest_port, self.direction.source_port))

    def goes_to_server(self, message: Message) -> bool:
        """Whether it is the inverter's direction, by the best sign that there is."""
        if self.by_client is not None:
            return self.by_client
        if (self.direction.dest_port in PORTS) != (self.direction.source_port in PORTS):
            return self.direction.dest_port in PORTS
        if min(message.source, message.dest) < FIRST_ROLE:
            return message.source < message.dest
        return self.direction.dest_port < self.direction.source_port  # encrypted: names nobody


class Extractor:
    """Packets in, messages out."""

    def __init__(self, servers: Servers, *, both: bool = False):
        """Take the messages to `servers`, and with `both` those from them too."""
        self._servers = servers
        self._both = both
        self._sides: dict[Direction, _Side] = {}
        self._unused = tally.Tally()
        self._reassembler = Reassembler(self._unused)
        self._told_of_tls: set[bytes] = set()
        self._told_of_any_server = False
        self._told_of_answer = False
        self.packets = self._connections = 0
        self.messages = 0  # so many were given

    def receive(self, packet: Packet) -> Iterator[bytes]:
        """Take a packet; gives the messages that it completes."""
        self.packets += 1
        found = parse_packet(packet)
        if isinstance(found, str):
            self._unused.add(found, len(packet.data))
        elif isinstance(found, Answer):
            self._servers.learn(found)
        else:
            yield from self._handle(self._reassembler.receive(found))

    def close(self) -> Iterator[bytes]:
        """The captures have ended: give the messages behind holes that nothing will fill."""
        yield from self._handle(self._reassembler.close())

    def _handle(self, events: Iterator[Event]) -> Iterator[bytes]:
        for event in events:
            if isinstance(event, Opened):
                self._sides[event.direction] = _Side(event, self._servers.answers)
                continue
            side = self._sides[event.direction]
            if isinstance(event, Data):
                self._feed(side, event.data)
            else:
                side.at_start = False
                side.framer.close()
            yield from self._read(side)
            if not isinstance(event, Data | Gap):
                del self._sides[event.direction]

    def _feed(self, side: _Side, data: bytes) -> None:
        if not side.fed and self._is_encrypted(side.direction, data):
            self._ignore(side, tally.ENCRYPTED)
            self._unused.add(tally.ENCRYPTED, len(data))
            return
        side.fed += len(data)
        side.framer.feed(data)

    def _read(self, side: _Side) -> Iterator[bytes]:
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
                yield event.to_bytes()

    def _discard(self, side: _Side, discarded: Discarded) -> None:
        reason = side.unused or tally.OTHER_TRAFFIC
        if side.is_taken:
            reason = f"no message ({discarded.reason.value})"
        elif not side.unused and self._is_other_traffic(side, discarded):
            self._ignore(side, reason)
        self._unused.add(reason, len(discarded.raw))

    def _is_other_traffic(self, side: _Side, discarded: Discarded) -> bool:
        """Whether a side that has brought no message yet is not worth waiting any longer."""
        if self._servers.know(side.direction.dest) or self._servers.know(side.direction.source):
            return False
        is_stray = side.uses_port_of_protocol() or len(discarded.raw) < STRAY
        begins_otherwise = side.at_start and discarded.reason is Reason.NOISE and not is_stray
        side.at_start = False
        return begins_otherwise or side.fed > PROBE

    def _decide(self, side: _Side, message: Message) -> None:
        """The side carries messages: see whether they are those that are wanted."""
        other_way = side.direction.reverse()
        direction = side.direction if side.goes_to_server(message) else other_way
        if direction is other_way and not self._both:
            self._ignore(side, tally.OTHER_DIRECTION)
        elif not self._servers.include(direction.dest):
            self._tell_of_other_server(side, direction)
            self._ignore(side, tally.OTHER_SERVER)
        else:
            side.is_taken = True
            other_side = self._sides.get(other_way)
            if other_side is None or not other_side.is_taken:
                self._connections += 1
                LOG.info("%s: messages", direction)
            if not (self._told_of_any_server or self._servers.are_known):
                self._told_of_any_server = True
                LOG.info("%s leads nowhere: messages to every server count", self._servers.name)

    def _tell_of_other_server(self, side: _Side, direction: Direction) -> None:
        """Once as a warning, where the connection is older than what DNS says of the server."""
        name = self._servers.name
        if self._servers.answers == side.answers or self._told_of_answer:
            LOG.info("%s: messages, but not to %s", direction, name)
            return
        self._told_of_answer = True
        text = (
            "%s: messages that are dropped: a DNS answer that came later has other addresses for %s"
        )
        LOG.warning(text, direction, name)

    def _ignore(self, side: _Side, reason: str) -> None:
        side.unused = reason
        self._reassembler.ignore(side.direction, reason)

    def _is_encrypted(self, direction: Direction, first_bytes: bytes) -> bool:
        """Whether an inverter's TLS connection begins here; tells of each inverter once."""
        source, _, dest, dest_port = direction
        if not self._servers.expect_tls(dest, dest_port, first_bytes):
            return False
        if source not in self._told_of_tls:
            self._told_of_tls.add(source)
            LOG.warning(
                "%s: the firmware of this inverter encrypts with TLS: nothing of it can be read",
                ipaddress.ip_address(source),
            )
        return True

    def summary(self) -> str:
        """One line that accounts for everything that was received."""
        return (
            f"{self.packets} packets, {self._connections} connections with messages, "
            f"{self.messages} messages; {self._reassembler.lost} bytes were not captured; "
            f"not used: {self._unused}"
        )


def extract_messages(extractor: Extractor, packets: Stream[Packet]) -> Stream[bytes]:
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


def decode_capture(chunks: Stream[bytes], name: str, *, follow: bool) -> Stream[bytes]:
    """The inverters' messages in one capture, whatever server they went to; marks are passed on.

    `chunks` are those of `se.files.read.read_chunks`, called with the same `follow`. Raises
    InputError where the capture is damaged, after all that comes before, and NoMessageError at
    the end of one without any.
    """
    extractor = Extractor(Servers("", resolve=lambda _: ()))
    captures = ((name, chunk) for chunk in chunks)
    packets = read_packets(captures, ErrorPolicy(is_folder=False, follow=follow))
    yield from extract_messages(extractor, packets)
    if not extractor.messages:
        raise NoMessageError(f"{name}: no SolarEdge message in {extractor.packets} packets")

"""One direction of a connection: what its framer finds, and whether its messages are wanted.

That is decided at the first message. Unless a direction is that of a server that is asked for, it
is other traffic when nothing in its first bytes turns out to be a message; on other ports than the
protocol's that is known at once where it begins with more than a few bytes of anything else.
"""

from __future__ import annotations

from se.capture.segment import Direction, Opened
from se.capture.servers import PORTS, Servers
from se.wire.framer import Discarded, Framer
from se.wire.message import FIRST_ROLE, MAX_PAYLOAD, Message, Reason

# After so many bytes a message must have begun, wherever in one the capture did.
PROBE = MAX_PAYLOAD + 1024
# A longer beginning on other ports than the protocol's is none of a stray byte or two.
STRAY = 64


class Side:
    """The state of one direction; `framer` gives what is in it.

    It is decided upon once `is_taken` or `unused`, which is the reason why it is not wanted.
    """

    __slots__ = (
        "direction",
        "framer",
        "is_taken",
        "unused",
        "_servers",
        "_answers",
        "_by_client",
        "_at_start",
        "_fed",
    )

    def __init__(self, opened: Opened, servers: Servers):
        self.direction = opened.direction
        self.framer = Framer()
        self.is_taken = False
        self.unused: str | None = None
        self._servers = servers
        self._answers = servers.answers  # so many had come when it was opened
        self._by_client = opened.by_client
        self._at_start = opened.by_client is not None  # what comes first begins the connection
        self._fed = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._fed += len(data)
        self.framer.feed(data)

    def break_off(self) -> None:
        """What follows does not join what came before."""
        self._at_start = False
        self.framer.close()

    def begins_with_tls(self, data: bytes) -> bool:
        """Whether these are its first bytes, and those of an inverter's TLS connection."""
        if self._fed:
            return False
        return self._servers.expect_tls(self.direction.dest, self.direction.dest_port, data)

    def is_other_traffic(self, discarded: Discarded) -> bool:
        """Whether it is not worth waiting any longer for a first message, as these bytes are none.

        Call it once for all that is discarded before that message.
        """
        if self._servers.know(self.direction.dest) or self._servers.know(self.direction.source):
            return False
        is_stray = self._uses_port_of_protocol() or len(discarded.raw) < STRAY
        begins_otherwise = self._at_start and discarded.reason is Reason.NOISE and not is_stray
        self._at_start = False
        return begins_otherwise or self._fed > PROBE

    def _uses_port_of_protocol(self) -> bool:
        """Whether one of its ends has a port that servers of the protocol have."""
        return not PORTS.isdisjoint((self.direction.dest_port, self.direction.source_port))

    def way_to_server(self, message: Message) -> Direction:
        """The connection's direction to the server, by the best sign that there is."""
        return self.direction if self._goes_to_server(message) else self.direction.reverse()

    def _goes_to_server(self, message: Message) -> bool:
        if self._by_client is not None:
            return self._by_client
        if (self.direction.dest_port in PORTS) != (self.direction.source_port in PORTS):
            return self.direction.dest_port in PORTS
        if min(message.source, message.dest) < FIRST_ROLE:
            return message.source < message.dest
        return self.direction.dest_port < self.direction.source_port  # encrypted: names nobody

    @property
    def is_older_than_answer(self) -> bool:
        """Whether a DNS answer that names the server came after the connection was opened."""
        return self._servers.answers != self._answers

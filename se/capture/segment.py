"""What goes into the reassembly of TCP and what comes out of it: segments and events."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Direction(NamedTuple):
    """One direction of a connection, from an address (4 or 16 bytes) and port to another."""

    source: bytes
    source_port: int
    dest: bytes
    dest_port: int

    def __str__(self) -> str:
        source, dest = map(ipaddress.ip_address, (self.source, self.dest))
        return f"{source} port {self.source_port} to {dest} port {self.dest_port}"

    def reverse(self) -> Direction:
        """The other direction of the same connection."""
        return Direction(self.dest, self.dest_port, self.source, self.source_port)


class Segment(NamedTuple):
    """One TCP segment; `length` is that of the payload as sent, captured or not."""

    time: float
    direction: Direction
    sequence: int
    flags: int
    payload: bytes
    length: int


class Opened(NamedTuple):
    """A direction begins: with a client's SYN, a server's, or (None) in its midst."""

    direction: Direction
    by_client: bool | None


class Data(NamedTuple):
    """The next bytes of a direction."""

    direction: Direction
    data: bytes


class Gap(NamedTuple):
    """What follows does not join what came before: bytes are missing, or the connection ended."""

    direction: Direction


class Closed(NamedTuple):
    """Nothing more comes of this direction, unless it is opened anew."""

    direction: Direction


Event = Opened | Data | Gap | Closed

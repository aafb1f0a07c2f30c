"""Which connections are those to the SolarEdge server: by address, or by name.

A name is looked up in the capture's own DNS answers first: of captures made elsewhere or years
ago nothing else knows the addresses of that time. Failing that, the resolver is asked, once; what
it says counts from the first connection to one of its addresses on, for it may know another
generation of servers. Until then no address of the server is known, and every server counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from se.wire.ports import FALLBACK_TCP_PORTS, TCP_PORT

if TYPE_CHECKING:  # loads dpkt, which the programs' --help can do without
    from se.capture.layers import Answer

DEFAULT_NAME = "prod.solaredge.com"
TLS_NAME = "prodssl.solaredge.com"
PORTS = frozenset((TCP_PORT, *FALLBACK_TCP_PORTS))


class Servers:
    """The addresses (4 or 16 bytes) of the server that is asked for."""

    def __init__(self, server: str, resolve: Callable[[str], Iterable[bytes]]):
        """`server` is a name or an address; `resolve` gives the addresses of a name, or none.

        Without a name, every server is asked for.
        """
        self.name = server.lower().rstrip(".")
        self._resolve = resolve
        self._tls: set[bytes] = set()
        self._resolved: frozenset[bytes] | None = None
        self._met = False
        self.answers = 0  # so many have given addresses of the server
        try:
            self._known = {ipaddress.ip_address(server).packed}
        except ValueError:
            self._known = set()

    def learn(self, answer: Answer) -> None:
        """Take a DNS answer of the capture."""
        if answer.name == self.name:
            self._known.update(answer.addresses)
            self.answers += 1
        elif answer.name == TLS_NAME:
            self._tls.update(answer.addresses)

    def include(self, address: bytes) -> bool:
        """Whether a connection to this address, over which messages go, is one to take."""
        if not self.name or address in self._known:
            return True
        if self._known:
            return False
        if self._resolved is None:
            self._resolved = frozenset(self._resolve(self.name))
        self._met = self._met or address in self._resolved
        return not self.are_known or address in self._resolved

    def know(self, address: bytes) -> bool:
        """Whether it is surely that of the server that is asked for."""
        return address in self._known

    @property
    def are_known(self) -> bool:
        """Whether the server's addresses are known; if not, every server is included."""
        return bool(self._known) or self._met or not self.name

    def expect_tls(self, address: bytes, port: int, first_bytes: bytes) -> bool:
        """Whether a stream to there that begins so is TLS, and an inverter's, not a browser's."""
        return _is_tls(first_bytes) and (
            port in PORTS
            or address in self._known
            or address in self._tls
            or TLS_NAME.encode() in first_bytes
        )


def _is_tls(first_bytes: bytes) -> bool:
    """Whether these begin with the header of a TLS record, of SSL 3 to TLS 1.3."""
    return len(first_bytes) > 2 and first_bytes[0] in range(20, 24) and first_bytes[1] == 3

"""What the user is told of the connections in captures; what concerns many of them, once."""

from __future__ import annotations

import ipaddress

from se.capture.segment import Direction
from se.log import LOG


class ConnectionLog:
    """Remembers what was told."""

    def __init__(self, server: str):
        """`server` is the name or address that is asked for."""
        self._server = server
        self._told_of_tls: set[bytes] = set()
        self._told_of_answer = False
        self._told_of_unknown_server = False

    def messages(self, direction: Direction) -> None:
        """Messages of a connection are taken."""
        LOG.info("%s: messages", direction)

    def unknown_server(self) -> None:
        """They are taken because it is not known which addresses the server has."""
        if not self._told_of_unknown_server:
            self._told_of_unknown_server = True
            LOG.info("%s leads nowhere: messages to every server count", self._server)

    def other_server(self, direction: Direction, *, is_older_than_answer: bool) -> None:
        """They go to another server; a warning, once, where DNS said of ours only later."""
        if not is_older_than_answer or self._told_of_answer:
            LOG.info("%s: messages, but not to %s", direction, self._server)
            return
        self._told_of_answer = True
        text = (
            "%s: messages that are dropped: a DNS answer that came later has other addresses for %s"
        )
        LOG.warning(text, direction, self._server)

    def tls(self, inverter: bytes) -> None:
        """An inverter, known by its address, encrypts with TLS."""
        if inverter not in self._told_of_tls:
            self._told_of_tls.add(inverter)
            LOG.warning(
                "%s: the firmware of this inverter encrypts with TLS: nothing of it can be read",
                ipaddress.ip_address(inverter),
            )

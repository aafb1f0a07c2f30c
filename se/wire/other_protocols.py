"""Clients that speak something else: told from how their stream begins."""

from __future__ import annotations

import re

from se.wire.message import MAGIC

MAX_LEADING_NOISE = 64  # so many bytes that belong to nothing may come before the first message

_TLS_HELLO = b"\x16\x03"  # a record of the handshake, in any version
_HTTP = re.compile(rb"(GET|HEAD|POST|PUT|OPTIONS|CONNECT|PRI) ")

TLS = (
    "it speaks TLS, as newer firmware does with prodssl.solaredge.com: nobody but SolarEdge can"
    " read that; try its RS485 or RS232 port instead"
)
HTTP = "it speaks HTTP, as web browsers do: inverters only are served here"
UNKNOWN = "it does not speak the protocol of SolarEdge inverters"


def identify_other_protocol(start: bytes) -> str | None:
    """What is wrong with a client whose stream begins so; None if it may be an inverter."""
    if start.startswith(_TLS_HELLO):
        return TLS
    if _HTTP.match(start):
        return HTTP
    # the magic number may begin at the very end
    return UNKNOWN if MAGIC not in start and len(start) >= MAX_LEADING_NOISE + len(MAGIC) else None

"""The DNS server for inverters: whatever name they ask for is ours. Packets in, replies out.

An inverter's server has changed its name more than once and may be set by its owner, so every
name gets the same A record; every other question gets an empty answer, an AAAA question above all.
What stands behind the questions, such as the OPT record of EDNS, is passed over.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from typing import Any

from dpkt import UnpackError, dns

from se.log import LOG

TTL_S = 86_400
MAX_REPLY = 512  # bytes

_OPCODE = 0x7800


class DnsServer:
    """Answers queries; `dropped` counts, by reason, what gets no answer."""

    def __init__(self, address: IPv4Address):
        self._address = address
        self.dropped: Counter[str] = Counter()

    def handle(self, packet: bytes) -> bytes | None:
        """The reply to a query, or None. Never raises."""
        try:
            query = dns.DNS(_without_records(packet))
        except (UnpackError, UnicodeDecodeError):
            self.dropped["malformed"] += 1
            return None
        if query.qr:  # two servers that answer each other's answers would never end
            self.dropped["response"] += 1
            return None
        return self._answer(query)

    def _answer(self, query: Any) -> bytes:
        op = dns.DNS_QR | dns.DNS_AA | dns.DNS_RA | query.op & (_OPCODE | dns.DNS_RD)
        reply = dns.DNS(id=query.id, op=op, qd=query.qd, an=[], ns=[], ar=[])
        if query.opcode != dns.DNS_QUERY:
            reply.rcode = dns.DNS_RCODE_NOTIMP
        else:
            reply.an = [self._record(question) for question in query.qd if _is_ours(question)]
        if len(reply) > MAX_REPLY:
            reply.an, reply.tc = [], 1
        return bytes(reply)

    def _record(self, question: Any) -> Any:
        LOG.info("DNS: %r is %s", question.name, self._address)
        return dns.DNS.RR(
            name=question.name,
            type=dns.DNS_A,
            cls=dns.DNS_IN,
            ttl=TTL_S,
            rdata=self._address.packed,
        )


def _is_ours(question: Any) -> bool:
    return bool(question.type == dns.DNS_A and question.cls == dns.DNS_IN)


def _without_records(packet: bytes) -> bytes:
    """A packet in which no records are announced behind the questions."""
    return packet[:6] + bytes(len(packet[6:12])) + packet[12:]

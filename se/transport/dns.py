"""The DNS server for inverters: whatever name they ask for is ours. Packets in, replies out.

An inverter's server has changed its name more than once and may be set by its owner, so every
name gets the same A record; every other question gets an empty answer, an AAAA question above all.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from typing import Any

from dpkt import UnpackError, dns

from se.log import LOG

TTL_S = 86_400
# Longest reply without EDNS (RFC 1035) and with it (what passes everywhere without fragments).
PLAIN_SIZE = 512
EDNS_SIZE = 1232

_OPCODE = 0x7800
_DNSSEC_OK = 0x8000
_BAD_VERSION = 1 << 24  # the upper bits of error code 16, in the TTL of an OPT record


class _Packet(dns.DNS):  # type: ignore[misc]
    """dpkt's packet, but records of every type are let in: only the OPT record matters here."""

    class RR(dns.DNS.RR):  # type: ignore[misc]
        def unpack_rdata(self, buf: bytes, off: int) -> None:
            if len(self.rdata) != self.rlen:
                raise UnpackError("the packet ends inside a record")


class DnsServer:
    """Answers queries; `dropped` counts, by reason, what gets no answer."""

    def __init__(self, address: IPv4Address):
        self._address = address
        self.dropped: Counter[str] = Counter()

    def handle(self, packet: bytes) -> bytes | None:
        """The reply to a query, or None. Never raises."""
        try:
            query = _Packet(packet)
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
        size = PLAIN_SIZE
        for record in query.ar:
            if record.type == dns.DNS_OPT:
                reply.ar = [_opt(record)]
                size = max(PLAIN_SIZE, min(record.cls, EDNS_SIZE))
        if query.opcode != dns.DNS_QUERY:
            reply.rcode = dns.DNS_RCODE_NOTIMP
        elif not (reply.ar and reply.ar[0].ttl & _BAD_VERSION):
            reply.an = [self._record(question) for question in query.qd if _is_ours(question)]
        if len(reply) > size:
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


def _opt(asked: Any) -> Any:
    """The EDNS record (RFC 6891) that answers `asked`: our version is 0, we know no options."""
    flags = asked.ttl & _DNSSEC_OK
    if asked.ttl >> 16 & 0xFF:
        flags |= _BAD_VERSION
    return dns.DNS.RR(name="", type=dns.DNS_OPT, cls=EDNS_SIZE, ttl=flags, rdata=b"")

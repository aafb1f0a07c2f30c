"""The DHCP server for inverters (RFC 2131): packets in, replies out, no socket and no clock.

It takes itself for the only server of its network, and serves clients on that network alone: what
a relay passes on is dropped. Addresses are numbers in here, as in dpkt's packets; 0 is none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from dpkt import UnpackError, dhcp

from se.log import LOG
from se.transport import leases
from se.transport.interfaces import Interface

SOLAREDGE_PREFIXES = (bytes.fromhex("002702"), bytes.fromhex("84d6c5"))
SERVER_PORT = 67
CLIENT_PORT = 68
BROADCAST = "255.255.255.255"
MIN_SIZE = 300  # of a BOOTP packet; old clients drop shorter ones

Options = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A packet and the (address, UDP port) that it goes to."""

    packet: bytes
    address: tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Request:
    """What a client sent. `header` is dpkt's packet."""

    header: Any
    kind: int
    wanted: int
    server: int

    @property
    def mac(self) -> bytes:
        return bytes(self.header.chaddr)


class _DroppedError(Exception):
    """A packet gets no answer; the text is the reason that is counted."""


def _parse(packet: bytes) -> _Request:
    """Raises _DroppedError."""
    try:
        header = dhcp.DHCP(packet)
    except (UnpackError, IndexError) as error:
        raise _DroppedError("malformed") from error
    options: dict[int, bytes] = {}
    for code, value in header.opts:  # a long option comes in parts (RFC 3396)
        options[code] = options.get(code, b"") + value
    kind = options.get(dhcp.DHCP_OPT_MSGTYPE, b"")
    wanted = options.get(dhcp.DHCP_OPT_REQ_IP, bytes(4))
    server = options.get(dhcp.DHCP_OPT_SERVER_ID, bytes(4))
    form = (header.op, header.hrd, header.hln, header.magic, len(kind), len(wanted), len(server))
    if form != (dhcp.DHCP_OP_REQUEST, 1, 6, dhcp.DHCP_MAGIC, 1, 4, 4):
        raise _DroppedError("malformed")
    return _Request(header, kind[0], _number(wanted), _number(server))


def _number(address: bytes) -> int:
    return int.from_bytes(address, "big")


def _lease_times() -> Options:
    times = (
        (dhcp.DHCP_OPT_LEASE_SEC, leases.LEASE_S),
        (dhcp.DHCP_OPT_RENEWTIME, leases.LEASE_S // 2),
        (dhcp.DHCP_OPT_REBINDTIME, leases.LEASE_S * 7 // 8),
    )
    return tuple((code, seconds.to_bytes(4, "big")) for code, seconds in times)


class DhcpServer:
    """Answers the clients on one interface; `dropped` counts, by reason, what gets no answer."""

    def __init__(self, interface: Interface, *, any_mac: bool = False):
        """Only inverters are served, or every MAC. Raises DeviceError (see AddressPool)."""
        self._us = interface.address
        self._network = interface.network
        self._settings: Options = (
            (dhcp.DHCP_OPT_NETMASK, interface.network.netmask.packed),
            (dhcp.DHCP_OPT_BROADCASTADDR, interface.broadcast.packed),
            (dhcp.DHCP_OPT_ROUTER, interface.address.packed),
            (dhcp.DHCP_OPT_DNS_SVRS, interface.address.packed),
        )
        self._any_mac = any_mac
        self._pool = leases.AddressPool(interface)
        self.dropped: Counter[str] = Counter()

    def handle(self, packet: bytes, now: float) -> Reply | None:
        """The reply to a packet at `now` (seconds of a steady clock), or None. Never raises."""
        try:
            request = _parse(packet)
            self._check(request, now)
            return self._answer(request, now)
        except _DroppedError as reason:
            self.dropped[str(reason)] += 1
            return None

    def _check(self, request: _Request, now: float) -> None:
        if not (self._any_mac or request.mac.startswith(SOLAREDGE_PREFIXES)):
            raise _DroppedError("not an inverter")
        if request.header.giaddr:
            raise _DroppedError("relayed")
        if request.server not in (0, int(self._us)):
            self._pool.release(request.mac, now)  # it has no use for what we offered
            raise _DroppedError("another server")

    def _answer(self, request: _Request, now: float) -> Reply | None:
        mac, address = request.mac, request.header.ciaddr or request.wanted
        if request.kind == dhcp.DHCPDISCOVER:
            return self._offer(request, now)
        if request.kind == dhcp.DHCPREQUEST:
            return self._lease(request, address, now)
        if request.kind == dhcp.DHCPINFORM:
            return self._reply(request, dhcp.DHCPACK, 0, self._settings)
        if request.kind == dhcp.DHCPRELEASE:
            self._pool.release(mac, now)
        elif request.kind == dhcp.DHCPDECLINE:
            if self._pool.decline(mac, address, now):
                declined = IPv4Address(address)
                LOG.warning("DHCP: something else uses %s, says %s", declined, mac.hex(":"))
        else:
            raise _DroppedError("malformed")
        return None

    def _offer(self, request: _Request, now: float) -> Reply:
        address = self._pool.offer(request.mac, request.wanted, now)
        if address is None:
            LOG.warning("DHCP: no address is left for %s", request.mac.hex(":"))
            raise _DroppedError("no address left")
        return self._reply(request, dhcp.DHCPOFFER, address, _lease_times() + self._settings)

    def _lease(self, request: _Request, address: int, now: float) -> Reply:
        if not self._pool.grant(request.mac, address, now):
            LOG.info("DHCP: %s cannot have %s", request.mac.hex(":"), IPv4Address(address))
            return self._reply(request, dhcp.DHCPNAK, 0, ())
        LOG.info("DHCP: %s has %s", request.mac.hex(":"), IPv4Address(address))
        return self._reply(request, dhcp.DHCPACK, address, _lease_times() + self._settings)

    def _reply(self, request: _Request, kind: int, address: int, settings: Options) -> Reply:
        header = request.header
        packet = dhcp.DHCP(
            op=dhcp.DHCP_OP_REPLY,
            xid=header.xid,
            flags=header.flags,
            ciaddr=header.ciaddr if kind == dhcp.DHCPACK else 0,
            yiaddr=address,
            chaddr=request.mac,
            opts=(
                (dhcp.DHCP_OPT_MSGTYPE, bytes([kind])),
                (dhcp.DHCP_OPT_SERVER_ID, self._us.packed),
                *settings,
                *(each for each in header.opts if each[0] == dhcp.DHCP_OPT_CLIENT_ID),  # RFC 6842
            ),
        )
        refused = kind == dhcp.DHCPNAK
        return Reply(bytes(packet).ljust(MIN_SIZE, b"\0"), self._destination(header, refused))

    def _destination(self, header: Any, refused: bool) -> tuple[str, int]:
        """A client without an address is reached by broadcast, whether it asked for that or not:
        the kernel cannot find out where an address lives that its owner does not have yet."""
        client = IPv4Address(header.ciaddr)
        everybody = refused or client not in self._network
        return BROADCAST if everybody else str(client), CLIENT_PORT

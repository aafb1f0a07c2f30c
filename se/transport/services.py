"""DHCP and DNS on one network interface: sockets that can reach no other network.

There is no loop in here: a `Service` is readable when it has work, and `serve` never waits, so
that one selector serves these and the inverters' connections.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable

from se.errors import DeviceError
from se.log import LOG
from se.transport.dhcp import SERVER_PORT as DHCP_PORT
from se.transport.dhcp import DhcpServer, Reply
from se.transport.dns import DnsServer
from se.transport.interfaces import Interface
from se.transport.ports import explain

DNS_PORT = 53
MAX_PACKET = 1500  # what is cut at this length is malformed
BURST = 32  # packets answered before others get their turn

Address = tuple[str, int]
Handler = Callable[[bytes, Address, float], Reply | None]


class Service:
    """A UDP socket and who answers what arrives on it."""

    def __init__(self, name: str, sock: socket.socket, handle: Handler, dropped: Counter[str]):
        """`dropped` counts, by reason, what `handle` gives no answer to."""
        self.name = name
        self.dropped = dropped
        self._socket = sock
        self._handle = handle
        sock.setblocking(False)

    def fileno(self) -> int:
        """Readable when there is something to serve."""
        return self._socket.fileno()

    def serve(self, now: float) -> None:
        """Answer what has arrived, without waiting; trouble of the network is only logged."""
        try:
            for _ in range(BURST):
                packet, sender = self._socket.recvfrom(MAX_PACKET)
                reply = self._handle(packet, sender, now)
                if reply is not None:
                    self._socket.sendto(reply.packet, reply.address)
        except BlockingIOError:
            return
        except OSError as error:  # the interface is down, or the client's address unreachable
            LOG.warning("%s: %s", self.name, error.strerror)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def open_services(interface: Interface, *, any_mac: bool = False) -> tuple[Service, Service]:
    """DHCP and DNS, bound to the interface alone. Raises DeviceError."""
    dhcp = DhcpServer(interface, any_mac=any_mac)
    dns = DnsServer(interface.address)

    def lease(packet: bytes, sender: Address, now: float) -> Reply | None:
        return dhcp.handle(packet, now)

    def resolve(packet: bytes, sender: Address, now: float) -> Reply | None:
        reply = dns.handle(packet)
        return None if reply is None else Reply(reply, sender)

    # A client without an address can only be heard on every address.
    leases = Service("DHCP", _open_socket("DHCP", interface, "", DHCP_PORT), lease, dhcp.dropped)
    try:
        names = _open_socket("DNS", interface, str(interface.address), DNS_PORT)
    except DeviceError:
        leases.close()
        raise
    return leases, Service("DNS", names, resolve, dns.dropped)


def _open_socket(name: str, interface: Interface, address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.name.encode())
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        opened.bind((address, port))
    except OSError as error:
        opened.close()
        raise DeviceError(f"{interface.name}: {name}: {explain(error, port, '-ulpn')}") from error
    return opened

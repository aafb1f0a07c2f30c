"""Which inverter has which address of an interface's subnet; no packets and no clock in here.

Nothing is stored: an address is a hash of the MAC, the next free one where two agree, and whoever
asks for one that is free (because we gave it before our own restart) gets it. So an inverter keeps
its address whichever of the two was restarted. Addresses are numbers; 0 is none.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from se.errors import DeviceError
from se.transport.interfaces import Interface

LEASE_S = 86_400
OFFER_S = 60
POOL_LIMIT = 1024  # more inverters than anybody has, and a search through all is short


@dataclass(slots=True)
class _Lease:
    """Whose an address is (nobody's after a decline), and until when others may not have it."""

    mac: bytes | None
    until: float


class AddressPool:
    """The addresses of an interface's subnet, and which MAC has which."""

    def __init__(self, interface: Interface):
        """Raises DeviceError if the subnet has no room for an inverter."""
        network = interface.network
        self._first = int(network.network_address) + 1
        self._size = min(network.num_addresses - 2, POOL_LIMIT)
        self._reserved = {int(interface.address), int(interface.broadcast)}
        self._leases: dict[int, _Lease] = {}
        self._address_of: dict[bytes, int] = {}
        if self._size < 2:
            raise DeviceError(
                f"{interface.name}: {interface.address}/{network.prefixlen} leaves no address "
                "for an inverter; give the interface a larger subnet, such as /24"
            )

    def offer(self, mac: bytes, wanted: int, now: float) -> int | None:
        """Keep an address for a MAC for a short while: its old one, the wanted or a free one."""
        address = self._address_of.get(mac) or self._choose(mac, wanted, now)
        if address is not None:
            self._keep(mac, address, now + OFFER_S)
        return address

    def grant(self, mac: bytes, address: int, now: float) -> bool:
        """Lease an address to a MAC if it is its own, or if it has none and this one is free."""
        granted = self._address_of.get(mac) == address or (
            mac not in self._address_of and self._is_free(address, now)
        )
        if granted:
            self._keep(mac, address, now + LEASE_S)
        return granted

    def release(self, mac: bytes, now: float) -> None:
        """Others may have the MAC's address; until one does, the MAC gets it again."""
        if mac in self._address_of:
            self._leases[self._address_of[mac]].until = now

    def decline(self, mac: bytes, address: int, now: float) -> bool:
        """If it is the MAC's address, which something else uses, nobody gets it for a day."""
        if self._address_of.get(mac) != address:
            return False
        del self._address_of[mac]
        self._leases[address] = _Lease(None, now + LEASE_S)
        return True

    def _choose(self, mac: bytes, wanted: int, now: float) -> int | None:
        """A free address: the wanted one, else one that nobody ever had, else any."""
        if self._is_free(wanted, now):
            return wanted
        start = zlib.crc32(mac)
        every = (self._first + (start + step) % self._size for step in range(self._size))
        free = [address for address in every if self._is_free(address, now)]
        return min(free, key=self._leases.__contains__, default=None)

    def _is_free(self, address: int, now: float) -> bool:
        if address in self._reserved or not 0 <= address - self._first < self._size:
            return False
        return address not in self._leases or self._leases[address].until <= now

    def _keep(self, mac: bytes, address: int, until: float) -> None:
        old = self._leases.get(address)
        if old and old.mac == mac:
            old.until = max(old.until, until)  # an offer does not shorten a lease
            return
        if old and old.mac:
            del self._address_of[old.mac]
        self._leases[address] = _Lease(mac, until)
        self._address_of[mac] = address

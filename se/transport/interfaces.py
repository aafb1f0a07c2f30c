"""What the system knows of its network interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import netifaces

from se.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface and its (first) IPv4 address."""

    name: str
    address: IPv4Address
    network: IPv4Network
    broadcast: IPv4Address


def find_interface(name: str) -> Interface:
    """Look an interface up. Raises DeviceError if it is missing or has no IPv4 address."""
    names = netifaces.interfaces()
    if name not in names:
        raise DeviceError(f"{name}: no such network interface; there are {', '.join(names)}")
    entries = netifaces.ifaddresses(name).get(netifaces.AF_INET)
    if not entries:
        raise DeviceError(
            f"{name}: the interface has no IPv4 address; "
            f"give it one: sudo ip address add 192.168.237.1/24 dev {name}"
        )
    entry = entries[0]
    own = IPv4Interface(f"{entry['addr']}/{entry['netmask']}")
    broadcast = IPv4Address(entry.get("broadcast", own.network.broadcast_address))
    return Interface(name, own.ip, own.network, broadcast)

"""Network interfaces, as this machine has them."""

import socket
from ipaddress import IPv4Address, IPv4Network

import netifaces
import pytest

from se.errors import DeviceError
from se.transport.interfaces import find_interface


def test_the_loopback_interface_is_found_with_its_subnet() -> None:
    loopback = find_interface("lo")
    assert loopback.address == IPv4Address("127.0.0.1")
    assert loopback.network == IPv4Network("127.0.0.0/8")
    assert loopback.broadcast == IPv4Address("127.255.255.255")


def test_a_missing_interface_is_told_with_those_there_are() -> None:
    with pytest.raises(DeviceError) as caught:
        find_interface("inverters0")
    assert str(caught.value).startswith("inverters0: no such network interface; there are ")
    for _, name in socket.if_nameindex():
        assert name in str(caught.value)


def test_what_the_system_says_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"addr": "10.1.2.3", "netmask": "255.255.255.0", "broadcast": "10.1.2.127"}
    monkeypatch.setattr(netifaces, "interfaces", lambda: ["eth1"])
    monkeypatch.setattr(netifaces, "ifaddresses", lambda name: {netifaces.AF_INET: [entry]})
    assert find_interface("eth1").broadcast == IPv4Address("10.1.2.127")


def test_an_interface_without_an_address_is_told_with_the_way_to_give_it_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(netifaces, "interfaces", lambda: ["eth1"])
    monkeypatch.setattr(netifaces, "ifaddresses", lambda name: {netifaces.AF_PACKET: [{}]})
    with pytest.raises(DeviceError, match="eth1.*no IPv4 address.*ip address add .* dev eth1"):
        find_interface("eth1")

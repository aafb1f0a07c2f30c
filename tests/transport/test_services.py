"""DHCP and DNS with real clients, in network namespaces."""

import logging
import os
import selectors
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from se.errors import DeviceError
from se.transport import leases
from se.transport.dhcp import Reply
from se.transport.interfaces import Interface, find_interface
from se.transport.services import BURST, Service, open_services
from tests.support.namespaces import (
    HOUSE_ADDRESS,
    Background,
    DhcpClient,
    House,
    inside,
    run_in,
    wait_until,
)

pytestmark = pytest.mark.system

INVERTER, SECOND, STRANGER = "00:27:02:11:22:33", "84:d6:c5:44:55:66", "02:00:00:00:00:01"
LOOPBACK = Interface("lo", IPv4Address("127.0.0.1"), IPv4Network("127.0.0.0/8"), IPv4Address(0))


@contextmanager
def services(house: House, *, any_mac: bool = False) -> Iterator[tuple[Service, Service]]:
    """Serve the house's inverters, as the program's loop does."""
    with inside(house.namespace):
        opened = open_services(find_interface("inverters"), any_mac=any_mac)
    selector = selectors.DefaultSelector()
    for service in opened:
        selector.register(service, selectors.EVENT_READ, service)

    def turn() -> None:
        for key, _ in selector.select(0.05):
            key.data.serve(time.monotonic())

    with Background(turn):
        yield opened
    for service in opened:
        service.close()
    selector.close()


@contextmanager
def client(namespace: str, folder: Path, **options: Any) -> Iterator[DhcpClient]:
    started = DhcpClient(namespace, folder, **options)
    try:
        yield started
    finally:
        started.stop()


def test_dhclient_gets_an_address_and_the_same_one_after_its_restart(
    house: House, tmp_path: Path
) -> None:
    inverter = house.plug_in_inverter(INVERTER)
    with services(house), client(inverter, tmp_path) as started:
        address = started.start()
        assert address in [str(host) for host in IPv4Network("192.168.237.0/24").hosts()][1:]
        assert started.events()[-1] == f"BOUND {address} {HOUSE_ADDRESS} {HOUSE_ADDRESS} 86400"
        started.stop()
        assert started.start() == address
        assert started.events()[-1].startswith("REBOOT ")
        started.stop()
        started.leases.unlink()
        assert started.start() == address
        started.release()
        assert started.start() == address


def test_dhclient_that_comes_from_another_network_is_refused_and_begins_anew(
    house: House, tmp_path: Path
) -> None:
    inverter = house.plug_in_inverter(INVERTER)
    with services(house), client(inverter, tmp_path) as started:
        address = started.start()
        started.stop()
        assert address is not None
        elsewhere = started.leases.read_text().replace(f"address {address}", "address 10.9.8.7")
        started.leases.write_text(elsewhere)
        assert started.start() == address
        assert started.events()[-1].startswith("BOUND ")


def test_dhclient_keeps_its_address_on_renewal_and_when_we_are_restarted(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 4)
    inverter = house.plug_in_inverter(INVERTER)
    with client(inverter, tmp_path) as started:
        with services(house):
            address = started.start()
            wait_until(lambda: started.events()[-1].startswith(f"RENEW {address} "))
        seen = len(started.events())
        with services(house):
            wait_until(lambda: len(started.events()) > seen)
        assert started.events()[-1].split()[1] == address


def test_two_inverters_get_two_addresses_and_another_machine_none(
    house: House, tmp_path: Path
) -> None:
    plugged = [house.plug_in_inverter(mac) for mac in (INVERTER, SECOND, STRANGER)]
    with services(house) as (addresses, _):
        with client(plugged[0], tmp_path) as first, client(plugged[1], tmp_path) as second:
            given = {first.start(), second.start()}
            assert len(given) == 2
            assert None not in given
        with client(plugged[2], tmp_path, patience_s=2) as stranger:
            assert stranger.start() is None
        assert addresses.dropped["not an inverter"] > 0


def test_every_machine_gets_an_address_where_that_is_wanted(house: House, tmp_path: Path) -> None:
    plugged = house.plug_in_inverter(STRANGER)
    with services(house, any_mac=True), client(plugged, tmp_path) as stranger:
        assert stranger.start() is not None


def test_a_client_that_declines_an_address_gets_another(house: House, tmp_path: Path) -> None:
    inverter = house.plug_in_inverter(INVERTER)
    with services(house):
        with client(inverter, tmp_path, bound="exit 1") as careful:
            assert careful.start() is None
            declined = next(event for event in careful.events() if event.startswith("BOUND"))
        with client(inverter, tmp_path) as satisfied:
            assert satisfied.start() not in (None, declined.split()[1])


def test_another_network_is_never_served(house: House, tmp_path: Path) -> None:
    at_home = house.plug_in_at_home(INVERTER)
    with (
        services(house, any_mac=True) as opened,
        client(at_home, tmp_path, patience_s=2) as lost,
    ):
        assert lost.start() is None
        run_in(at_home, "ip", "address", "add", "192.168.99.2/24", "dev", "eth0")
        run_in(at_home, "ip", "route", "add", "default", "via", "192.168.99.1")
        for server in ("192.168.99.1", HOUSE_ADDRESS):
            dig = run_in(at_home, "dig", f"@{server}", "+tries=1", "+time=1", "prod.solaredge.com")
            assert dig.returncode == 9  # no reply
        assert not opened[0].dropped + opened[1].dropped


def test_dig_finds_every_name_here_and_no_ipv6_address(house: House, tmp_path: Path) -> None:
    inverter = house.plug_in_inverter(INVERTER)

    def dig(*question: str) -> str:
        return run_in(inverter, "dig", f"@{HOUSE_ADDRESS}", *question).stdout

    with services(house) as (_, names), client(inverter, tmp_path) as started:
        assert started.start() is not None
        for name in ("prod.solaredge.com", "prodssl.solaredge.com", "any.name.at.all"):
            assert dig("+short", name) == f"{HOUSE_ADDRESS}\n"
            assert dig("+short", name, "AAAA") == ""
        assert dig("+short", "+noedns", "prod.solaredge.com") == f"{HOUSE_ADDRESS}\n"
        full = dig("prod.solaredge.com")
        assert "status: NOERROR" in full
        assert f"prod.solaredge.com.\t86400\tIN\tA\t{HOUSE_ADDRESS}" in full
        assert "EDNS" not in full
        assert "WARNING" not in full
        empty = dig("prod.solaredge.com", "AAAA")
        assert "status: NOERROR" in empty
        assert "ANSWER: 0" in empty
        assert not names.dropped


def test_a_taken_port_is_told_with_the_way_to_find_who_has_it(house: House) -> None:
    with inside(house.namespace):
        interface = find_interface("inverters")
        taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taker.bind((HOUSE_ADDRESS, 53))
        for _ in range(2):  # the DHCP port was given back
            with pytest.raises(DeviceError, match="inverters: DNS: port 53 is taken.* ss -ulpn"):
                open_services(interface)
        taker.close()
        opened = open_services(interface)
        with pytest.raises(DeviceError, match="inverters: DHCP: port 67 is taken.* ss -ulpn"):
            open_services(interface)
        for service in opened:
            service.close()


@contextmanager
def nobody() -> Iterator[None]:
    """Without root's rights, where we have them."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_missing_rights_are_told_with_the_two_ways_to_get_them() -> None:
    unprivileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not unprivileged.exists() or int(unprivileged.read_text()) <= 67:
        pytest.skip("every user may open these ports here")
    with nobody(), pytest.raises(DeviceError) as caught:
        open_services(LOOPBACK)
    told = str(caught.value)
    assert told.startswith("lo: DHCP: not permitted to open port 67; run with sudo, or once: sudo")
    assert "setcap cap_net_bind_service,cap_net_raw+ep /" in told
    assert shutil.which(told.split()[-1]) is not None


def test_an_interface_that_went_away_is_told() -> None:
    gone = Interface("gone0", LOOPBACK.address, LOOPBACK.network, LOOPBACK.broadcast)
    with pytest.raises(DeviceError, match="gone0: DHCP: port 67: No such device"):
        open_services(gone)


@contextmanager
def echo_service() -> Iterator[tuple[Service, socket.socket]]:
    """A service that sends everything back, and a socket that talks to it."""

    def echo(packet: bytes, sender: tuple[str, int], now: float) -> Reply:
        return Reply(packet * 50_000 if packet == b"long" else packet, sender)

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
    ):
        server.bind(("127.0.0.1", 0))
        asking.connect(server.getsockname())
        asking.settimeout(10)
        yield Service("DHCP", server, echo, Counter()), asking


def test_an_answer_that_cannot_be_sent_does_not_stop_the_service(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("se"), "propagate", True)
    with echo_service() as (service, asking):
        for packet in (b"long", b"one", b"two"):
            asking.send(packet)
        service.serve(0.0)
        assert caplog.messages == ["DHCP: Message too long"]
        service.serve(0.0)
        assert [asking.recv(100), asking.recv(100)] == [b"one", b"two"]


def test_a_flood_of_packets_lets_others_have_their_turn() -> None:
    with echo_service() as (service, asking):
        for number in range(BURST + 1):
            asking.send(bytes([number]))
        service.serve(0.0)
        assert [asking.recv(100)[0] for _ in range(BURST)] == list(range(BURST))
        asking.setblocking(False)
        with pytest.raises(BlockingIOError):
            asking.recv(100)
        service.serve(0.0)
        assert asking.recv(100) == bytes([BURST])

"""Which servers count: addresses, names in the capture, names elsewhere, names nowhere."""

from __future__ import annotations

from ipaddress import ip_address

from se.capture.layers import Answer
from se.capture.servers import Servers

ONE, TWO, THREE = (ip_address(f"203.0.113.{n}").packed for n in (1, 2, 3))
HELLO = bytes.fromhex("160301020001")


class Resolver:
    """Knows some addresses of every name, and counts how often it is asked."""

    def __init__(self, *addresses: bytes):
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, name: str) -> tuple[bytes, ...]:
        self.asked.append(name)
        return self.addresses


def test_an_address_is_nobody_elses_business() -> None:
    resolver = Resolver(TWO)
    servers = Servers("203.0.113.1", resolver)
    servers.learn(Answer("203.0.113.1", (TWO,)))
    assert servers.include(ONE)
    assert not servers.include(THREE)
    assert resolver.asked == []
    assert Servers("2001:db8::1", resolver).include(ip_address("2001:db8::1").packed)


def test_the_capture_knows_a_name_better_than_the_resolver() -> None:
    resolver = Resolver(TWO)
    servers = Servers("Prod.SolarEdge.com.", resolver)
    servers.learn(Answer("www.example.org", (THREE,)))
    servers.learn(Answer("prod.solaredge.com", (ONE,)))
    assert servers.include(ONE)
    assert not servers.include(TWO)
    assert not servers.include(THREE)
    assert servers.are_known
    assert resolver.asked == []


def test_all_addresses_that_a_name_ever_had_count() -> None:
    servers = Servers("prod.solaredge.com", Resolver())
    for address in (ONE, TWO):
        servers.learn(Answer("prod.solaredge.com", (address,)))
    assert servers.include(ONE)
    assert servers.include(TWO)


def test_a_name_that_leads_nowhere_includes_every_server() -> None:
    resolver = Resolver()
    servers = Servers("prod.solaredge.com", resolver)
    assert servers.include(ONE)
    assert servers.include(TWO)
    assert not servers.are_known
    assert resolver.asked == ["prod.solaredge.com"]


def test_the_resolver_counts_once_a_connection_goes_where_it_says() -> None:
    servers = Servers("prod.solaredge.com", Resolver(TWO))
    assert servers.include(ONE)  # a server of years ago, for all that is known
    assert not servers.are_known
    assert servers.include(TWO)
    assert servers.are_known
    assert not servers.include(ONE)


def test_without_a_name_every_server_is_included() -> None:
    resolver = Resolver(TWO)
    servers = Servers("", resolver)
    assert servers.include(ONE)
    assert servers.include(TWO)
    assert servers.include(ONE)
    assert servers.are_known
    assert resolver.asked == []


def test_tls_is_an_inverters_by_port_address_or_name() -> None:
    servers = Servers("prod.solaredge.com", Resolver())
    assert servers.expect_tls(ONE, 22222, HELLO)
    assert not servers.expect_tls(ONE, 443, HELLO)
    assert servers.expect_tls(ONE, 443, HELLO + b"...prodssl.solaredge.com...")
    servers.learn(Answer("prod.solaredge.com", (ONE,)))
    servers.learn(Answer("prodssl.solaredge.com", (TWO,)))
    assert servers.expect_tls(ONE, 443, HELLO)
    assert servers.expect_tls(TWO, 443, HELLO)
    assert not servers.expect_tls(THREE, 443, HELLO)


def test_what_does_not_begin_like_tls_is_not_taken_for_it() -> None:
    servers = Servers("203.0.113.1", Resolver())
    for first_bytes in (b"", b"\x16", b"\x16\x03", b"\x12\x34\x56\x79", b"\x17\x02\x00"):
        assert not servers.expect_tls(ONE, 22222, first_bytes)

"""One direction of a connection: which way it goes, and how long a message is waited for."""

from __future__ import annotations

import ipaddress

import pytest

from se.capture.layers import Answer
from se.capture.segment import Direction, Opened
from se.capture.servers import DEFAULT_NAME, Servers
from se.capture.side import PROBE, STRAY, Side
from se.wire.framer import Discarded
from se.wire.message import ENCRYPTED_SERVER, SERVER, Message, Reason

INVERTER, WEB = (ipaddress.ip_address(a).packed for a in ("192.168.1.20", "203.0.113.10"))
TO_SERVER = Message(1, 0x7F101234, SERVER, 0x0500)
ENCRYPTED = Message(1, ENCRYPTED_SERVER, 0xFFFFFFFF, 0x003D)
ANY_SERVER = Servers("", lambda _: ())
HELLO = bytes.fromhex("160301020001")


def side(
    dest_port: int = 22222,
    source_port: int = 4711,
    by_client: bool | None = True,
    servers: Servers = ANY_SERVER,
) -> Side:
    direction = Direction(INVERTER, source_port, WEB, dest_port)
    return Side(Opened(direction, by_client), servers)


def noise(size: int) -> Discarded:
    return Discarded(bytes(size), Reason.NOISE)


@pytest.mark.parametrize(
    ("dest_port", "source_port", "by_client", "message", "goes_there"),
    [
        (22222, 4711, True, TO_SERVER, True),
        (22222, 4711, False, TO_SERVER, False),  # the SYN says more than the port
        (80, 4711, None, ENCRYPTED, True),
        (4711, 22221, None, TO_SERVER, False),  # the port says more than the message
        (5000, 4711, None, TO_SERVER, True),
        (4711, 5000, None, TO_SERVER._replace(source=SERVER, dest=0x7F101234), False),
        (4711, 5000, None, ENCRYPTED, True),  # servers have the lower port
        (5000, 4711, None, ENCRYPTED, False),
    ],
)
def test_the_way_to_the_server_is_told_by_the_best_sign(
    dest_port: int, source_port: int, by_client: bool | None, message: Message, goes_there: bool
) -> None:
    there = side(dest_port, source_port, by_client)
    way = there.direction if goes_there else there.direction.reverse()
    assert there.way_to_server(message) == way


def test_a_beginning_with_much_noise_is_other_traffic_on_other_ports_alone() -> None:
    assert side(8080).is_other_traffic(noise(STRAY))
    assert not side(8080).is_other_traffic(noise(STRAY - 1))
    assert not side(8080).is_other_traffic(Discarded(bytes(STRAY), Reason.CHECKSUM))
    assert not side(22222).is_other_traffic(noise(STRAY))
    assert not side(8080, 80).is_other_traffic(noise(STRAY))
    asked_for = Servers("203.0.113.10", lambda _: ())
    assert not side(8080, servers=asked_for).is_other_traffic(noise(STRAY))


def test_what_comes_behind_the_beginning_is_waited_for_longer() -> None:
    assert not side(8080, by_client=None).is_other_traffic(noise(STRAY))
    behind_a_gap = side(8080)
    behind_a_gap.break_off()
    assert not behind_a_gap.is_other_traffic(noise(STRAY))
    stray = side(8080)
    assert not stray.is_other_traffic(noise(1))
    assert not stray.is_other_traffic(noise(STRAY))


def test_after_the_longest_message_nothing_is_waited_for() -> None:
    long = side()
    long.feed(bytes(PROBE))
    assert not long.is_other_traffic(noise(1))
    long.feed(b"\0")
    assert long.is_other_traffic(noise(1))


def test_only_the_first_bytes_are_taken_for_tls() -> None:
    begun = side()
    assert begun.begins_with_tls(HELLO)
    begun.feed(b"\0")
    assert not begun.begins_with_tls(HELLO)
    assert not side(443).begins_with_tls(HELLO)


def test_a_later_dns_answer_is_known_to_be_later() -> None:
    servers = Servers(DEFAULT_NAME, lambda _: ())
    before = side(servers=servers)
    assert not before.is_older_than_answer
    servers.learn(Answer(DEFAULT_NAME, (WEB,)))
    assert before.is_older_than_answer
    assert not side(servers=servers).is_older_than_answer

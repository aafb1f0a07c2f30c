"""What is told of connections, and what is told only once."""

from __future__ import annotations

import ipaddress
import logging

import pytest

from se.capture.connection_log import ConnectionLog
from se.capture.segment import Direction

ONE, TWO, THREE = (ipaddress.ip_address(f"203.0.113.{n}").packed for n in (1, 2, 3))
FIRST, SECOND = Direction(ONE, 4711, THREE, 22222), Direction(TWO, 4712, THREE, 22222)
NAMED = ("203.0.113.1 port 4711 to 203.0.113.3", "203.0.113.2 port 4712 to 203.0.113.3")


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "se")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.message) for record in caplog.records]


def test_every_connection_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("prod")
    for direction in (FIRST, SECOND):
        log.messages(direction)
        log.other_server(direction, is_older_than_answer=False)
    assert told(caplog) == [
        ("INFO", f"{NAMED[0]} port 22222: messages"),
        ("INFO", f"{NAMED[0]} port 22222: messages, but not to prod"),
        ("INFO", f"{NAMED[1]} port 22222: messages"),
        ("INFO", f"{NAMED[1]} port 22222: messages, but not to prod"),
    ]


def test_a_later_dns_answer_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("prod")
    for direction in (FIRST, SECOND):
        log.other_server(direction, is_older_than_answer=True)
    late = "a DNS answer that came later has other addresses for prod"
    assert told(caplog) == [
        ("WARNING", f"{NAMED[0]} port 22222: messages that are dropped: {late}"),
        ("INFO", f"{NAMED[1]} port 22222: messages, but not to prod"),
    ]


def test_an_unknown_server_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("prod")
    log.unknown_server()
    log.unknown_server()
    assert told(caplog) == [("INFO", "prod leads nowhere: messages to every server count")]


def test_tls_is_warned_of_once_for_each_inverter(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("prod")
    for address in (ONE, TWO, ONE):
        log.tls(address)
    text = "the firmware of this inverter encrypts with TLS: nothing of it can be read"
    assert told(caplog) == [
        ("WARNING", f"203.0.113.1: {text}"),
        ("WARNING", f"203.0.113.2: {text}"),
    ]

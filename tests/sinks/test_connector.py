"""Connecting again and again, until the server is there or given up."""

import socket

import pytest

from se.errors import OutputError
from se.sinks.connector import Connector
from se.sinks.tcp import Address


def test_a_server_that_never_was_there_is_given_up(stop):
    connector = Connector(Address("127.0.0.1", 1), "text", patience=0, stop=stop)
    with pytest.raises(OutputError, match=r"127\.0\.0\.1:1: Connection refused"):
        connector.connect()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "", "http://here", "a..b", "x" * 70])
def test_an_unknown_host_is_given_up_at_once(stop, host, monkeypatch):
    if host == "no-such-host.invalid":  # machines without any name server say "try again"

        def nobody(*args, **options):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", nobody)
    connector = Connector(Address(host, 2003), "text", patience=60, stop=stop)
    with pytest.raises(OutputError, match=f"{host}: unknown host"):
        connector.connect()


def connect_and_close(connector):
    connection = connector.connect()
    assert connection
    connection.close()


def test_only_a_server_that_takes_something_makes_the_pauses_short_again(listener, stop):
    connector = Connector(Address(*listener.getsockname()), "text", patience=60, stop=stop)
    for _ in range(3):
        connect_and_close(connector)
    assert stop.waits == [0, 0.5, 1]
    connector.confirm()
    connect_and_close(connector)
    assert stop.waits[-1] == 0


def test_a_server_that_took_something_is_not_given_up(listener, stop):
    connector = Connector(Address(*listener.getsockname()), "text", patience=0, stop=stop)
    connect_and_close(connector)
    connector.confirm()
    connector.lose(ConnectionError("closed by the server"))


def test_the_end_of_the_program_is_no_connection_and_no_error(stop):
    connector = Connector(Address("127.0.0.1", 1), "text", patience=0, stop=stop)
    stop.requested = 15
    assert connector.connect() is None
    connector.lose(ConnectionError("closed by the server"))

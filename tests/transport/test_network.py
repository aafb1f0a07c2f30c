"""Many connections on loopback, with inverters on them; the loop is in this thread."""

import logging
import os
import pathlib
import resource
import socket
import struct
from collections.abc import Iterator

import pytest

from se.errors import DeviceError
from se.transport import network
from se.transport.network import open_listener
from tests.support.served import NO_RECORDS, Site, acknowledgement, telemetry, warnings

pytestmark = pytest.mark.system

OTHER_INVERTER = 0x7F105678


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Site]:
    with Site(tmp_path) as served:
        yield served


def test_many_inverters_may_connect_at_once(site: Site) -> None:
    inverters = [site.connect() for _ in range(network.BURST + 8)]
    for number, inverter in enumerate(inverters, 1):
        inverter.send(telemetry(1, number))
    for number, inverter in enumerate(inverters, 1):
        assert site.answers(inverter) == [acknowledgement(telemetry(1, number))]


def test_a_turn_without_anything_to_read_does_nothing(site: Site) -> None:
    site.connect()
    site.serve()
    [connection] = site.open_connections
    connection.serve(0.0)
    connection.send(b"")
    assert connection.is_open


def test_a_connection_that_is_reset_is_over(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inverter = site.connect()
    inverter.send(telemetry(1))
    site.answers(inverter)
    inverter.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    inverter.socket.close()
    site.serve()
    assert "connection closed: Connection reset by peer" in caplog.text
    assert site.open_connections == []


def test_who_reads_no_answers_is_not_read_any_more(site: Site) -> None:
    deaf, quiet = site.connect(), site.connect()
    many = NO_RECORDS.to_bytes() * 400
    while not any(each._out for each in site.open_connections):
        deaf.flood(many)
        site.serve(1)
    [connection] = [each for each in site.open_connections if each._out]
    for _ in range(20):
        deaf.flood(many)
        site.serve(1)
    assert len(connection._out) <= network.SLICE
    assert not connection.has_work
    connection.send(b"")
    quiet.send(telemetry(1, OTHER_INVERTER))
    assert len(site.answers(quiet)) == 1
    while deaf.read() or connection._out:
        site.serve(1)
    assert connection.is_open


def test_a_client_that_vanishes_while_answers_wait_is_forgotten(site: Site) -> None:
    deaf = site.connect()
    while not any(each._out for each in site.open_connections):
        deaf.flood(NO_RECORDS.to_bytes() * 400)
        site.serve(1)
    deaf.socket.close()
    site.serve(5)
    assert site.open_connections == []


def test_a_connection_without_data_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(network, "SWEEP_S", 0.0)
    silent = site.connect()
    site.serve()
    assert len(site.open_connections) == 1
    monkeypatch.setattr(network, "SILENCE_S", 0.0)
    assert site.is_closed(silent)
    assert "connection closed: no data for 0 s" in caplog.text


def test_there_is_room_for_so_many_connections_and_so_many_of_one_host(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(network, "MAX_PER_HOST", 3)
    monkeypatch.setattr(network, "SWEEP_S", 0.0)
    site.network._room = 4
    first = [site.connect() for _ in range(4)]
    site.serve()
    assert [site.is_closed(client) for client in first] == [False, False, False, True]
    assert "connections refused: 1: too many from 127.0.0.1, or altogether" in warnings(caplog)
    other, too_many = site.connect("127.0.0.2"), site.connect("127.0.0.3")
    assert not site.is_closed(other)
    assert site.is_closed(too_many)
    first[0].socket.close()
    site.serve()
    assert not site.is_closed(site.connect("127.0.0.3"))


def test_connections_wait_while_the_system_has_no_file_for_them(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "SWEEP_S", 0.0)
    inverter = site.connect()
    inverter.send(telemetry(1))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    fillers = [os.dup(0) for _ in range(3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(fillers), limits[1]))
    try:
        site.serve()
        assert highest >= 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)
    assert any("Too many open files" in line for line in warnings(caplog))
    assert site.answers(inverter) == [acknowledgement(telemetry(1))]


def test_the_limit_of_open_files_limits_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, room in ((100, 36), (resource.RLIM_INFINITY, network.MAX_CONNECTIONS)):
        monkeypatch.setattr(resource, "getrlimit", lambda which, files=files: (files, files))
        served = network.Network(lambda connection: pytest.fail("nobody connects"))
        assert served._room == room
        served.close()


def test_a_taken_port_is_told_with_the_way_to_find_who_has_it() -> None:
    with open_listener("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeviceError, match=f"port {port} is taken.* ss -tlpn 'sport = :{port}'"):
            open_listener("127.0.0.1", port)

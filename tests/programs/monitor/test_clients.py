"""Being the server of many inverters: real connections on loopback, the loop in this thread."""

import json
import logging
import pathlib
import random
import socket
import struct
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.errors import CommandError, DataError, OutputError
from se.programs.monitor import clients
from se.programs.monitor.options import parse_commands
from se.wire import commands, other_protocols
from se.wire.commands import CommandQueue
from se.wire.functions import Function
from se.wire.message import MAGIC, SERVER, Message
from tests.captures import ENCRYPTED, GOOD, SET_KEY
from tests.support.served import (
    INVERTER,
    NO_RECORDS,
    Client,
    Encrypted,
    Site,
    acknowledgement,
    telemetry,
    warnings,
)

pytestmark = pytest.mark.system

OTHER_INVERTER = 0x7F105678
KEYS = [bytes([number]) * 16 for number in (1, 2, 3)]


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Site]:
    with Site(tmp_path) as served:
        yield served


def key_file(folder: pathlib.Path, *keys: bytes, name: str = "keys") -> pathlib.Path:
    path = folder / name
    path.write_text("".join(f"{key.hex()}\n" for key in keys))
    return path


def test_telemetry_is_written_and_acknowledged(site: Site) -> None:
    inverter = site.connect()
    inverter.send(telemetry(1), telemetry(2))
    assert site.answers(inverter, 2) == [acknowledgement(telemetry(n)) for n in (1, 2)]
    assert site.times == [1, 2]


def test_what_cannot_be_written_is_not_acknowledged(tmp_path: pathlib.Path) -> None:
    with Site(tmp_path, output="/dev/full") as site:
        inverter = site.connect()
        inverter.send(telemetry(1))
        with pytest.raises(OutputError, match="/dev/full: No space left"):
            site.serve()
        assert inverter.read() == []


def test_a_message_that_comes_again_is_acknowledged_again_and_written_once(site: Site) -> None:
    first = site.connect()
    first.send(telemetry(1), telemetry(1))
    assert len(site.answers(first, 2)) == 2
    second = site.connect()
    second.send(telemetry(1))
    assert site.answers(second) == [acknowledgement(telemetry(1))]
    assert site.times == [1]


def test_keep_alives_and_the_time_request_are_answered(site: Site) -> None:
    inverter = site.connect()
    inverter.send(NO_RECORDS, Message(2, INVERTER, SERVER, Function.SERVER_GET_GMT))
    answers = site.answers(inverter, 2)
    assert [answer.function for answer in answers] == [
        Function.RESP_ACK,
        Function.RESP_SERVER_GMT,
    ]
    assert site.times == []


def test_a_message_may_arrive_byte_by_byte(site: Site) -> None:
    inverter = site.connect()
    for byte in telemetry(1).to_bytes():
        inverter.send(bytes([byte]))
        site.serve(1)
    assert site.answers(inverter) == [acknowledgement(telemetry(1))]


def test_an_encrypted_session_is_answered_encrypted(tmp_path: pathlib.Path) -> None:
    with Site(tmp_path, key_file(tmp_path, KEYS[0], name="7f101234.key")) as site:
        inverter, speech = site.connect(), Encrypted(KEYS[0])
        inverter.send(speech.opening)
        assert speech.unwrap(site.answers(inverter)) == [acknowledgement(speech.opening)]
        inverter.send(speech.wrap(telemetry(1)), telemetry(2))
        answers = site.answers(inverter, 2)
        assert speech.unwrap(answers) == [acknowledgement(telemetry(n)) for n in (1, 2)]
        assert site.times == [1, 2]


@pytest.mark.parametrize("again", ["the same", "a new one"])
def test_each_repetition_of_the_session_key_tries_the_next_key(
    tmp_path: pathlib.Path, again: str
) -> None:
    with Site(tmp_path, key_file(tmp_path, *KEYS)) as site:
        inverter, speech = site.connect(), Encrypted(KEYS[2])
        understood = []
        for _ in range(6):
            inverter.send(speech.opening)
            understood += speech.unwrap(site.answers(inverter))
            if again == "a new one":
                speech.new_session()
        right = [answer is not None for answer in understood]
        assert right == [False, False, True, False, False, True]


def test_the_key_that_fits_is_remembered_and_after_a_restart_too(tmp_path: pathlib.Path) -> None:
    path, speech = key_file(tmp_path, *KEYS), Encrypted(KEYS[2])
    with Site(tmp_path, path) as site:
        inverter = site.connect()
        inverter.send(speech.opening, speech.opening, speech.opening)
        site.answers(inverter, 3)
        inverter.send(speech.wrap(telemetry(1)))
        assert speech.unwrap(site.answers(inverter)) == [acknowledgement(telemetry(1))]
        inverter.send(speech.new_session())
        assert speech.unwrap(site.answers(inverter)) == [acknowledgement(speech.opening)]
    for number in (2, 3):
        with Site(tmp_path, path) as site:
            other, stranger = site.connect(), Encrypted(KEYS[0], OTHER_INVERTER, seed=number)
            other.send(stranger.opening)
            site.answers(other)
            inverter = site.connect()
            inverter.send(speech.wrap(telemetry(number)))
            assert speech.unwrap(site.answers(inverter)) == [acknowledgement(telemetry(number))]
            inverter.send(speech.new_session())
            assert speech.unwrap(site.answers(inverter)) == [acknowledgement(speech.opening)]
    assert site.times == [1, 2, 3]


def test_an_inverter_without_a_key_is_told_of_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    inverter, speech = site.connect(), Encrypted(KEYS[0])
    inverter.send(speech.opening, speech.opening, speech.new_session())
    site.serve()
    assert inverter.read() == []
    [line] = warnings(caplog)
    assert line.endswith("inverter 7F101234 wants to encrypt: no key was given for it")


def test_an_inverter_whose_key_is_another_is_told_of_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Site(tmp_path, key_file(tmp_path, *KEYS[:2])) as site:
        inverter, speech = site.connect(), Encrypted(KEYS[2])
        inverter.send(speech.opening, speech.opening)
        site.answers(inverter, 2)
        assert warnings(caplog) == []
        inverter.send(speech.opening, speech.opening)
        site.answers(inverter, 2)
        [line] = warnings(caplog)
        assert line.endswith("wants to encrypt: the key does not fit this inverter")


def test_a_new_connection_of_an_inverter_replaces_the_old_one(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old, bystander = site.connect(), site.connect()
    old.send(telemetry(1))
    bystander.send(telemetry(1, 0x7F000001))
    site.answers(old)
    site.answers(bystander)
    again = site.connect()
    again.send(telemetry(2))
    assert site.answers(again) == [acknowledgement(telemetry(2))]
    assert site.is_closed(old)
    assert "connection closed: inverter 7F101234 has a new one" in caplog.text
    for inverter in (again, bystander):
        inverter.send(NO_RECORDS if inverter is again else telemetry(2, 0x7F000001))
        assert len(site.answers(inverter)) == 1
    assert len(site.open_connections) == 2


def test_a_gateway_is_not_cut_off_by_one_of_its_inverters(site: Site) -> None:
    gateway, own = site.connect(), site.connect()
    gateway.send(telemetry(1), telemetry(1, OTHER_INVERTER))
    site.answers(gateway, 2)
    own.send(telemetry(2))
    site.answers(own)
    for number in (3, 4):
        gateway.send(telemetry(number, OTHER_INVERTER))
        assert len(site.answers(gateway)) == 1
    own.send(telemetry(5, OTHER_INVERTER))
    site.answers(own)
    assert site.is_closed(gateway)


def test_what_costs_a_connection_is_not_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MAX_INVERTERS", 2)
    crowd = site.connect()
    sources = (0x7F000001, 0x7F000002, 0x7F000003)
    crowd.send(*(telemetry(1, source) for source in sources))
    assert site.is_closed(crowd)
    again = site.connect()
    again.send(telemetry(1, sources[-1]))
    assert site.answers(again) == [acknowledgement(telemetry(1, sources[-1]))]
    assert len(site.times) == len(sources)


def test_what_a_replaced_connection_still_sends_is_not_read(site: Site) -> None:
    old = site.connect()
    old.send(telemetry(1))
    site.answers(old)
    new = site.connect()
    site.serve(1)
    new.send(telemetry(2))
    old.send(telemetry(3))
    both = sorted(site.open_connections, key=lambda each: each.name.endswith(f":{port(old)}"))
    for connection in both:
        connection.serve(0.0)
    assert not both[1].is_open
    assert site.times == [1, 2]


def port(client: Client) -> int:
    number: int = client.socket.getsockname()[1]
    return number


def test_one_connection_may_carry_many_inverters_but_not_any_number(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = site.connect()
    gateway.send(*(telemetry(1, source) for source in range(1, clients.MAX_INVERTERS + 1)))
    assert len(site.answers(gateway, clients.MAX_INVERTERS)) == clients.MAX_INVERTERS
    gateway.send(telemetry(1, 0x7FFFFFFF))
    assert site.is_closed(gateway)
    [line] = warnings(caplog)
    assert line.endswith("closed: more than 256 inverters speak on it")


def test_messages_of_the_server_itself_belong_to_no_inverter(site: Site) -> None:
    clients = [site.connect(), site.connect()]
    for client in clients:
        client.send(Message(1, SERVER, INVERTER, Function.RESP_ACK))
        site.serve()
    assert len(site.open_connections) == 2


@pytest.mark.parametrize(
    ("start", "explanation"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", other_protocols.TLS),
        (b"GET / HTTP/1.1\r\nHost: inverter\r\n\r\n", other_protocols.HTTP),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n" + b"\0" * 40, other_protocols.UNKNOWN),
        (random.Random(1).randbytes(300), other_protocols.UNKNOWN),
        (random.Random(1).randbytes(30_000), other_protocols.UNKNOWN),
        (b"\0" * 67 + telemetry(1).to_bytes(), other_protocols.UNKNOWN),
    ],
)
def test_who_speaks_something_else_is_closed_with_one_line(
    site: Site, caplog: pytest.LogCaptureFixture, start: bytes, explanation: str
) -> None:
    client = site.connect()
    client.send(start)
    assert site.is_closed(client)
    [line] = warnings(caplog)
    assert line == f"127.0.0.1:{line.split(':')[1]}: connection closed: {explanation}"
    assert site.times == []


def test_some_stray_bytes_before_the_first_message_do_no_harm(site: Site) -> None:
    inverter = site.connect()
    inverter.send(b"\xff" * 64, telemetry(1), b"\x80\0\0")
    assert site.answers(inverter) == [acknowledgement(telemetry(1))]


def test_a_connection_that_breaks_in_mid_message_costs_that_message_alone(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    inverter = site.connect()
    inverter.send(telemetry(1), telemetry(2).to_bytes()[:-3])
    site.answers(inverter)
    inverter.socket.close()
    site.serve()
    assert site.open_connections == []
    [line] = warnings(caplog)
    assert line.endswith("bytes discarded: incomplete")
    again = site.connect()
    again.send(telemetry(2))
    site.answers(again)
    assert site.times == [1, 2]


def test_what_stands_before_the_end_of_a_connection_is_handled_whole(site: Site) -> None:
    inverter = site.connect()
    inverter.send(*(telemetry(number) for number in range(1, 1001)))
    inverter.socket.shutdown(socket.SHUT_WR)
    assert len(site.answers(inverter, 1000)) == 1000
    assert site.is_closed(inverter)
    assert site.times == list(range(1, 1001))


def test_a_flood_of_messages_delays_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast we are, it is read slice by slice."""
    monkeypatch.setattr(clients, "WORK_S", 60.0)
    flooding, quiet = site.connect(), site.connect()
    flooding.flood(b"".join(telemetry(n, records=40).to_bytes() for n in range(1, 1001)))
    for number in range(1, 6):
        quiet.send(telemetry(number, OTHER_INVERTER))
        site.serve(2)
        assert quiet.read() == [acknowledgement(telemetry(number, OTHER_INVERTER))]
    most = 8192 // telemetry(1, records=40).size + 1
    assert 0 < len(flooding.read()) <= 10 * most
    assert not flooding.is_closed


def test_a_turn_of_one_client_is_short(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is cut, here after every event, and goes on without waiting for more."""
    monkeypatch.setattr(clients, "WORK_S", 0.0)
    inverter = site.connect()
    site.serve(1)
    inverter.send(*(telemetry(number) for number in range(1, 6)))
    site.serve(1)
    assert site.times == [1]
    inverter.socket.shutdown(socket.SHUT_WR)
    assert len(site.answers(inverter, 5)) == 5
    assert site.is_closed(inverter)
    assert site.times == [1, 2, 3, 4, 5]


def test_false_lengths_are_given_up_before_they_cost_anything(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of them claims a message of the greatest length, whose checksum is to be computed."""
    hostile, quiet = site.connect(), site.connect()
    hostile.send(telemetry(1))
    quiet.send(telemetry(1, OTHER_INVERTER))
    site.answers(hostile)
    site.answers(quiet)
    claim = MAGIC + struct.pack("<HH", 0xFFFF, 0) + b"\x01" * 14
    hostile.flood(claim * 4000)
    for number in range(2, 12):
        quiet.send(telemetry(number, OTHER_INVERTER))
        site.serve(2)
        assert quiet.read() == [acknowledgement(telemetry(number, OTHER_INVERTER))]
    assert site.is_closed(hostile)
    assert warnings(caplog)[-1].endswith("closed: there are no messages in what it sends")


def test_with_x_the_first_thing_that_cannot_be_decoded_ends_the_program(
    tmp_path: pathlib.Path,
) -> None:
    with Site(tmp_path, strict=True) as site:
        inverter = site.connect()
        inverter.send(telemetry(1), telemetry(2).to_bytes()[:-1], b"?", telemetry(3))
        with pytest.raises(DataError, match="discarded: checksum"):
            site.serve()
        assert site.times == [1]


def commanded(folder: pathlib.Path, text: str) -> Site:
    numbers = iter(range(100, 200))
    queue = CommandQueue(INVERTER, deque(parse_commands(text)), lambda: next(numbers))
    return Site(folder, queue=queue)


def test_commands_wait_for_their_inverter_and_go_on_in_its_next_connection(
    tmp_path: pathlib.Path,
) -> None:
    site = commanded(tmp_path, "33/34")
    with site:
        other = site.connect()
        other.send(telemetry(1, OTHER_INVERTER))
        assert site.answers(other) == [acknowledgement(telemetry(1, OTHER_INVERTER))]
        first = site.connect()
        first.send(NO_RECORDS)
        assert site.answers(first, 2)[1] == Message(100, SERVER, INVERTER, 0x33)
        first.send(Message(100, INVERTER, SERVER, 0xB0, b"\1\0\2\0"))
        assert site.answers(first) == [Message(101, SERVER, INVERTER, 0x34)]
        first.socket.close()
        site.serve()
        site.server.handle_time()
        assert not site.server.done
        second = site.connect()
        second.send(telemetry(2))
        assert site.answers(second, 2)[1] == Message(102, SERVER, INVERTER, 0x34)
        second.send(Message(102, INVERTER, SERVER, 0xB1, b"\0\3"))
        site.serve()
        assert site.server.done
        written = [json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines()]
        answers = [line["data"] for line in written if "command" in line]
        assert answers == [{"version": "0001.0002"}, {"type": 0x300}]


def test_a_command_is_answered_where_it_was_asked_last(tmp_path: pathlib.Path) -> None:
    with commanded(tmp_path, "33/34") as site:
        gateway = site.connect()
        gateway.send(telemetry(1, OTHER_INVERTER), NO_RECORDS)
        assert site.answers(gateway, 3)[2] == Message(100, SERVER, INVERTER, 0x33)
        own = site.connect()
        own.send(telemetry(2))
        assert site.answers(own, 2)[1] == Message(101, SERVER, INVERTER, 0x33)
        gateway.send(Message(100, INVERTER, SERVER, 0xB0, b"\1\0\2\0"))
        assert site.answers(gateway) == [Message(102, SERVER, INVERTER, 0x33)]
        gateway.send(Message(102, INVERTER, SERVER, 0xB0, b"\1\0\2\0"))
        assert site.answers(gateway) == [Message(103, SERVER, INVERTER, 0x34)]


def test_a_command_that_is_not_answered_ends_the_program(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "ANSWER_S", 0.01)
    site = commanded(tmp_path, "33")
    with site:
        inverter = site.connect()
        inverter.send(NO_RECORDS)
        with pytest.raises(CommandError, match="inverter 7F101234 did not answer command 33"):
            for _ in range(100):
                site.serve(1)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([*GOOD, SET_KEY, ENCRYPTED, telemetry(1).to_bytes()]),
            st.binary(max_size=60),
            st.binary(max_size=60).map(MAGIC.__add__),
        ),
        min_size=1,
        max_size=10,
    ),
    st.booleans(),
)
def test_no_stream_raises_or_stops_the_others(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], cut: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    with Site(folder, key_file(folder, *KEYS)) as site:
        fuzz, inverter = site.connect(), site.connect()
        site.serve(1)
        for piece in pieces:
            try:
                fuzz.send(piece)
            except ConnectionError:
                break
            site.serve(1)
        if cut:
            fuzz.socket.close()
        inverter.send(telemetry(1, OTHER_INVERTER))
        assert acknowledgement(telemetry(1, OTHER_INVERTER)) in site.answers(inverter)

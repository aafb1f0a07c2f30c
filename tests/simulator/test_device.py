"""The simulated inverter in conversation, with a fake clock; then on a real pseudo-terminal."""

from __future__ import annotations

import os
import pathlib
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import serial

from se.simulator import __main__ as program
from se.simulator.device import (
    MESSAGES_PER_TURN,
    RESEND_S,
    TRIES_PER_TURN,
    Device,
    Line,
    make_devices,
)
from se.simulator.encoder import MessageEncoder
from se.simulator.faults import Faults
from se.simulator.report_queue import KEEP_ALIVE_S
from se.simulator.site import Plan, Site
from se.wire.functions import Function
from se.wire.keyring import Keyring
from se.wire.message import MAGIC, SERVER, Message
from se.wire.payloads import format_payload, parse_payload
from se.wire.session import Received, RecentMessages, Sent, ServerEnvironment, Session

ROOT = pathlib.Path(__file__).parents[2]
ID = 0x7F101234
OTHER = 0x7F105678
KEY = bytes(range(16))
PLAN = Plan(ids=(ID,), interval=3600, optimizers=2)
SILENT_PLAN = Plan(ids=(ID,), days=0)
MASTER = 0x7F104920


def device(line: Line, plan: Plan = PLAN, *, key: bytes | None = None, **how: object) -> Device:
    """The only inverter of a plan, connected at time 0."""
    keys = {} if key is None else {ID: key}
    (made,) = make_devices(Site(plan), keys, line, **how)  # type: ignore[arg-type]
    made.connect(0.0)
    return made


def messages(data: bytes) -> list[Message]:
    """All messages in the bytes, which hold nothing else."""
    found = []
    while data:
        size = struct.unpack_from("<H", data, 4)[0] + 22
        found.append(Message.parse(data[:size]))
        data = data[size:]
    return found


def said(inverter: Device) -> list[Message]:
    """What the inverter says now."""
    return messages(inverter.data_to_send())


def hears(inverter: Device, message: Message, now: float) -> list[Message]:
    """What the inverter says to a message."""
    inverter.receive_data(message.to_bytes(), now)
    return said(inverter)


def reply(message: Message, function: int = Function.RESP_ACK, payload: bytes = b"") -> Message:
    """A server's reply."""
    return Message(message.sequence, SERVER, message.source, function, payload)


def gmt(message: Message) -> Message:
    return reply(message, Function.RESP_SERVER_GMT, format_payload(Function.RESP_SERVER_GMT, 7, -1))


def command(function: int, payload: bytes = b"", sequence: int = 9, dest: int = ID) -> Message:
    return Message(sequence, SERVER, dest, function, payload)


def server(keyring: Keyring | None = None) -> Session:
    """A server that answers everything."""
    answering = ServerEnvironment(lambda utc: 3600, lambda size: bytes(range(size)))
    return Session(keyring or Keyring({}, []), RecentMessages(), answering)


def converse(
    inverters: list[Device], session: Session, until: float, *, cut: int = 7
) -> list[Received]:
    """Let a server and inverters talk until all is told; the line cuts the bytes into pieces."""
    heard: list[Received] = []
    now = 0.0
    while now <= until and not all(each.finished for each in inverters):
        data = b"".join(each.data_to_send() for each in inverters)
        session.receive_data(data, now)
        heard += [event for event in session.events() if isinstance(event, Received)]
        answer = session.data_to_send()
        for start in range(0, len(answer), cut):
            for each in inverters:
                each.receive_data(answer[start : start + cut], now)
        if not answer and not data:
            deadlines = [due for each in inverters if (due := each.next_deadline()) is not None]
            now = max(now + 0.01, min(deadlines, default=until + 1))
            for each in inverters if now <= until else ():
                each.handle_time(now)
    return heard


@pytest.mark.parametrize("line", [Line.RS232, Line.NETWORK])
def test_a_server_is_told_every_report_once_and_in_order(line: Line) -> None:
    inverter = device(line)
    heard = converse([inverter], server(), 20)
    assert inverter.finished
    reports = list(Site(PLAN).reports())
    assert [event.message.function for event in heard] == [each.function for each in reports]
    assert [event.message.payload for event in heard] == [each.payload for each in reports]
    assert not any(event.repeated for event in heard)
    assert inverter.server_time == (0, 3600)
    assert inverter.acknowledged == len(reports)


def test_a_message_comes_again_until_it_is_acknowledged_then_the_next() -> None:
    inverter = device(Line.NETWORK)
    (asked,) = said(inverter)
    assert asked.function == Function.SERVER_GET_GMT
    assert inverter.next_deadline() == RESEND_S
    inverter.handle_time(RESEND_S - 0.1)
    assert said(inverter) == []
    for now in (RESEND_S, 2 * RESEND_S, 3 * RESEND_S):
        inverter.handle_time(now)
        assert said(inverter) == [asked]
    (told,) = hears(inverter, gmt(asked), 4)
    assert told.function == Function.SERVER_POST_DATA
    assert told.sequence == asked.sequence + 1
    assert inverter.server_time == (7, -1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda asked: reply(asked),  # an ACK is not the time
        lambda asked: reply(asked, Function.RESP_SERVER_GMT, b"short"),
        lambda asked: gmt(asked)._replace(sequence=asked.sequence + 1),
        lambda asked: gmt(asked)._replace(dest=OTHER),
        lambda asked: gmt(asked)._replace(source=ID),  # its own echo
        lambda asked: reply(asked, Function.RESP_NACK),
    ],
)
def test_what_is_not_the_answer_lets_it_wait(wrong: Callable[[Message], Message]) -> None:
    inverter = device(Line.NETWORK)
    (asked,) = said(inverter)
    assert hears(inverter, wrong(asked), 0.1) == []
    assert inverter.server_time is None
    inverter.handle_time(RESEND_S)
    assert said(inverter) == [asked]


def test_telemetry_is_not_acknowledged_by_a_time() -> None:
    inverter = device(Line.NETWORK)
    (asked,) = said(inverter)
    (told,) = hears(inverter, gmt(asked), 0)
    assert hears(inverter, gmt(told), 0) == []
    assert hears(inverter, reply(told, payload=b"more"), 0) != []


def test_a_late_second_acknowledgement_changes_nothing() -> None:
    inverter = device(Line.NETWORK)
    (asked,) = said(inverter)
    hears(inverter, gmt(asked), 0)
    assert hears(inverter, gmt(asked), 0) == []
    assert inverter.acknowledged == 1


def test_when_all_is_told_keep_alives_follow() -> None:
    inverter = device(Line.NETWORK, SILENT_PLAN)
    assert inverter.finished
    assert said(inverter) == []
    assert inverter.next_deadline() == KEEP_ALIVE_S
    inverter.handle_time(KEEP_ALIVE_S)
    (alive,) = said(inverter)
    assert (alive.function, alive.payload) == (Function.SERVER_POST_DATA, b"")
    assert hears(inverter, reply(alive), KEEP_ALIVE_S + 1) == []
    assert inverter.next_deadline() == 2 * KEEP_ALIVE_S + 1


def test_with_a_speed_each_report_waits_for_its_time() -> None:
    reports = list(Site(PLAN).reports())
    inverter = device(Line.NETWORK, speed=10)
    converse([inverter], server(), 1)
    assert inverter.acknowledged == 1
    due = (reports[1].time - reports[0].time) / 10
    assert inverter.next_deadline() == due
    converse([inverter], server(), due - 1)
    assert inverter.acknowledged == 1
    inverter.handle_time(due)
    (told,) = said(inverter)
    assert told.payload == reports[1].payload


def test_a_new_connection_goes_on_with_what_was_not_acknowledged() -> None:
    inverter = device(Line.NETWORK)
    (asked,) = said(inverter)
    (told,) = hears(inverter, gmt(asked), 0)
    inverter.receive_data(MAGIC, 0)  # an answer that breaks off
    inverter.connect(5)
    assert said(inverter) == [told]
    assert len(hears(inverter, reply(told), 5)) == 1


PARAMETER = struct.pack("<H", 0x0329)
KEY_VALUES = struct.unpack("<4L", KEY)


@pytest.mark.parametrize(
    ("function", "payload", "answer", "values"),
    [
        (0x0012, PARAMETER, 0x0090, {"value": 376715698, "type": 0}),
        (0x0012, struct.pack("<H", 0x0239), 0x0090, {"value": KEY_VALUES[0], "type": 0}),
        (0x0012, struct.pack("<H", 0x023C), 0x0090, {"value": KEY_VALUES[3], "type": 0}),
        (0x0012, struct.pack("<H", 0x7777), 0x0081, {}),
        (0x0012, b"\x01", 0x0081, {}),
        (0x0011, PARAMETER + bytes(4), 0x0080, {}),
        (0x0011, struct.pack("<HL", 0x7777, 1), 0x0081, {}),
        (0x0011, PARAMETER, 0x0081, {}),
        (0x0030, struct.pack("<HL", 500, 0), 0x0080, {}),
        (0x0030, b"", 0x0081, {}),
        (0x0033, b"", 0x00B0, {"version": "0003.2221"}),
        (0x0034, b"", 0x00B1, {"type": 0x0300}),
        (0x0303, struct.pack("<Ll", 1, -3600), 0x0080, {}),
        (0x0321, b"", 0x038C, {"connected": 1}),
        (0x0347, b"", 0x039F, {"status": [4, 0, 1, 0]}),
        (0x0302, b"", 0x0081, {}),  # there is no bus to grant
        (0x7777, b"anything", 0x0081, {}),
    ],
)
def test_commands_are_answered(
    function: int, payload: bytes, answer: int, values: dict[str, object]
) -> None:
    inverter = device(Line.RS232, SILENT_PLAN, key=KEY)
    (answered,) = hears(inverter, command(function, payload), 1)
    assert (answered.sequence, answered.source, answered.dest) == (9, ID, SERVER)
    assert answered.function == answer
    assert parse_payload(answer, answered.payload) == values


def test_a_parameter_that_was_set_keeps_its_value() -> None:
    inverter = device(Line.RS232, SILENT_PLAN)
    hears(inverter, command(0x0011, PARAMETER + struct.pack("<L", 77)), 1)
    (answered,) = hears(inverter, command(0x0012, PARAMETER), 1)
    assert parse_payload(answered.function, answered.payload)["value"] == 77


def test_energy_statistics_are_those_of_the_site() -> None:
    site = Site(PLAN)
    (inverter,) = make_devices(site, {}, Line.RS232)
    inverter.connect(0)
    converse([inverter], server(), 20)
    (answered,) = hears(inverter, command(0x0322), 21)
    energies = parse_payload(answered.function, answered.payload)
    model = site.inverters[0]
    assert energies["Eday"] == pytest.approx(model.energy_day)
    assert energies["Etot"] == pytest.approx(model.energy_total)
    assert energies["Eday"] < energies["Emon"] < energies["Eyear"] < energies["Etot"]
    assert energies["Time1"] > list(Site(PLAN).reports())[0].time


def test_without_a_key_file_an_inverter_has_a_key_of_its_own() -> None:
    keys = {
        tuple(each.responder.parameters[number] for number in range(0x0239, 0x023D))
        for seed in (1, 2)
        for each in make_devices(Site(Plan(inverters=2, seed=seed)), {}, Line.RS232)
    }
    assert len(keys) == 4


def test_commands_are_answered_between_the_reports() -> None:
    inverter = device(Line.NETWORK)
    (asked,) = said(inverter)
    (answered,) = hears(inverter, command(0x0034), 0.1)
    assert answered.function == 0x00B1
    assert len(hears(inverter, gmt(asked), 0.2)) == 1


@pytest.mark.parametrize(("line", "answers"), [(Line.RS232, 1), (Line.RS485, 0), (Line.NETWORK, 0)])
def test_only_on_rs232_the_address_does_not_matter(line: Line, answers: int) -> None:
    inverter = device(line, SILENT_PLAN)
    assert len(hears(inverter, command(0x0034, dest=OTHER), 0)) == answers


def test_after_a_reset_it_is_deaf_for_the_delay_and_then_goes_on() -> None:
    inverter = device(Line.RS232)
    (asked,) = said(inverter)
    (answered,) = hears(inverter, command(0x0030, struct.pack("<HL", 2500, 0)), 1)
    assert answered.function == Function.RESP_ACK
    assert hears(inverter, gmt(asked), 2) == []
    assert inverter.next_deadline() == 3.5
    inverter.handle_time(3.5)
    assert said(inverter) == [asked]


def grant(sequence: int = 100, dest: int = ID) -> Message:
    return Message(sequence, MASTER, dest, Function.POLESTAR_MASTER_GRANT)


RELEASE = Function.RESP_POLESTAR_MASTER_GRANT_ACK


def test_a_slave_speaks_only_when_the_bus_is_granted_to_it() -> None:
    inverter = device(Line.RS485)
    assert said(inverter) == []
    assert inverter.next_deadline() is None
    assert hears(inverter, grant(dest=OTHER), 1) == []
    (asked,) = hears(inverter, grant(), 2)
    assert asked.function == Function.SERVER_GET_GMT


def test_a_slave_sends_its_reports_and_releases_the_bus() -> None:
    inverter = device(Line.RS485)
    (message,) = hears(inverter, grant(), 0)
    (message,) = hears(inverter, gmt(message), 0)
    for _ in range(MESSAGES_PER_TURN - 2):
        (message,) = hears(inverter, reply(message), 0)
        assert message.function == Function.SERVER_POST_DATA
    (released,) = hears(inverter, reply(message), 0)
    assert released == Message(100, ID, MASTER, RELEASE)
    assert inverter.next_deadline() is None


def test_a_slave_with_nothing_to_tell_releases_at_once() -> None:
    inverter = device(Line.RS485, SILENT_PLAN)
    for now in (1, 100, 10000):
        assert [each.function for each in hears(inverter, grant(), now)] == [RELEASE]


def test_a_slave_that_is_not_heard_releases_and_tries_again_in_its_next_turn() -> None:
    inverter = device(Line.RS485)
    (asked,) = hears(inverter, grant(), 0)
    for tries in range(1, TRIES_PER_TURN):
        inverter.handle_time(tries * RESEND_S)
        assert said(inverter) == [asked]
    inverter.handle_time(TRIES_PER_TURN * RESEND_S)
    assert [each.function for each in said(inverter)] == [RELEASE]
    assert hears(inverter, gmt(asked), 4) == []  # too late
    assert hears(inverter, grant(101), 9) == [asked]


def test_a_second_grant_starts_the_turn_anew() -> None:
    inverter = device(Line.RS485)
    (asked,) = hears(inverter, grant(), 0)
    assert hears(inverter, grant(101), 0.1) == [asked]
    for tries in range(1, TRIES_PER_TURN + 1):
        inverter.handle_time(0.1 + tries * RESEND_S)
    (*_, released) = said(inverter)
    assert released.sequence == 101


def test_on_a_bus_commands_are_answered_in_the_next_turn_once() -> None:
    inverter = device(Line.RS485, SILENT_PLAN)
    assert hears(inverter, command(0x0034, sequence=8), 0) == []
    assert hears(inverter, command(0x0033, sequence=9), 0) == []
    assert hears(inverter, command(0x0033, sequence=9), 0) == []  # asked again
    answers = hears(inverter, grant(), 0)
    assert [(each.sequence, each.function) for each in answers] == [
        (8, 0x00B1),
        (9, 0x00B0),
        (100, RELEASE),
    ]
    assert len(hears(inverter, grant(), 1)) == 1


def test_a_command_within_the_turn_is_answered_at_once() -> None:
    inverter = device(Line.RS485)
    hears(inverter, grant(), 0)
    assert [each.function for each in hears(inverter, command(0x0034), 0)] == [0x00B1]


def test_a_flood_of_commands_is_answered_in_part() -> None:
    inverter = device(Line.RS485, SILENT_PLAN)
    for sequence in range(1, 1000):
        hears(inverter, command(0x0034, sequence=sequence), 0)
    assert len(hears(inverter, grant(), 0)) < 20


def test_with_a_key_it_opens_a_session_and_speaks_encrypted() -> None:
    inverter = device(Line.NETWORK, key=KEY)
    heard = converse([inverter], server(Keyring({ID: KEY}, [])), 20)
    assert inverter.finished
    openings = [each for each in heard if each.message.function == Function.SERVER_SET_KEY]
    told = [each for each in heard if each.message.function != Function.SERVER_SET_KEY]
    assert heard[0] == openings[0]
    assert len(openings) == 5  # one every four hours
    assert not any(each.wrapper for each in openings)
    assert all(each.wrapper for each in told)
    reports = list(Site(PLAN).reports())
    assert [each.message.payload for each in told] == [each.payload for each in reports]
    assert inverter.server_time == (0, 3600)


def test_a_plain_acknowledgement_keeps_an_encrypted_inverter_silent() -> None:
    inverter = device(Line.NETWORK, key=KEY)
    (opening,) = said(inverter)
    assert opening.function == Function.SERVER_SET_KEY
    assert hears(inverter, reply(opening), 0.1) == []
    assert hears(inverter, command(0x0034), 0.2) == []
    inverter.handle_time(RESEND_S)
    assert said(inverter) == [opening]


def test_a_wrong_key_keeps_it_silent() -> None:
    inverter = device(Line.NETWORK, key=KEY)
    heard = converse([inverter], server(Keyring({ID: KEY[::-1]}, [])), 10)
    assert {event.message.function for event in heard} == {Function.SERVER_SET_KEY}
    assert inverter.acknowledged == 0


def test_encrypted_commands_are_answered_encrypted() -> None:
    session = server(Keyring({ID: KEY}, []))
    inverter = device(Line.NETWORK, key=KEY)
    converse([inverter], session, 1)
    session.send(command(0x0034))
    inverter.receive_data(session.data_to_send(), 2)
    session.receive_data(inverter.data_to_send(), 2)
    events = [event for event in session.events() if not isinstance(event, Sent)]
    (answered,) = events
    assert isinstance(answered, Received) and answered.wrapper
    assert answered.message.function == 0x00B1


def test_a_new_connection_opens_a_new_session() -> None:
    inverter = device(Line.NETWORK, key=KEY)
    (opening,) = said(inverter)
    assert inverter.next_deadline() == RESEND_S
    inverter.connect(0.5)
    (again,) = said(inverter)
    assert again.function == Function.SERVER_SET_KEY
    assert again.payload != opening.payload
    inverter.connect(1)
    converse([inverter], server(Keyring({ID: KEY}, [])), 20)
    assert inverter.finished


def test_messages_before_a_session_are_not_listened_to() -> None:
    encoder = MessageEncoder(ID, KEY, 1)
    assert encoder.decrypt(command(0x0034)) is None
    assert encoder.decrypt(command(Function.MISC_ENCRYPTED, bytes(60))) is None


def test_on_serial_lines_a_key_encrypts_nothing() -> None:
    inverter = device(Line.RS232, key=KEY)
    assert [each.function for each in said(inverter)] == [Function.SERVER_GET_GMT]


def test_two_inverters_share_a_connection() -> None:
    plan = Plan(inverters=2, ids=(ID, OTHER), interval=3600, optimizers=2)
    both = make_devices(Site(plan), {ID: KEY}, Line.NETWORK)
    for each in both:
        each.connect(0)
    heard = converse(both, server(Keyring({ID: KEY}, [])), 20)
    assert all(each.finished for each in both)
    told = [each for each in heard if each.message.function != Function.SERVER_SET_KEY]
    assert {each.message.source for each in told if each.wrapper} == {ID}
    expected = sorted(each.payload for each in Site(plan).reports())
    assert sorted(each.message.payload for each in told) == expected


@pytest.mark.parametrize("lose", [2, 3, 5])
def test_lost_messages_come_again_and_nothing_is_missing(lose: int) -> None:
    inverter = device(Line.NETWORK, faults=Faults(lose=lose))
    heard = converse([inverter], server(), 500)
    assert inverter.finished
    once = [each.message.payload for each in heard if each.message.payload and not each.repeated]
    assert once == [each.payload for each in Site(PLAN).reports() if each.payload]
    assert any(each.repeated for each in heard)


def test_noise_goes_before_messages_and_hides_none() -> None:
    inverter = device(Line.NETWORK, faults=Faults(noise=2))
    session = server()
    heard = converse([inverter], session, 500)
    assert inverter.finished
    once = [each.message.payload for each in heard if each.message.payload and not each.repeated]
    assert once == [each.payload for each in Site(PLAN).reports() if each.payload]


def test_faults_come_at_the_messages_that_were_said() -> None:
    inverter = device(Line.RS232, SILENT_PLAN, faults=Faults(lose=4, noise=3))
    sizes = []
    for _ in range(3):
        inverter.receive_data(command(0x0034).to_bytes(), 0)
        sizes.append(len(inverter.data_to_send()))
    assert sizes[:2] == [24, 24]
    assert sizes[2] > 24
    assert hears(inverter, command(0x0034), 0) == []  # the fourth received
    assert hears(inverter, command(0x0034), 0) == []  # the fourth said
    assert len(hears(inverter, command(0x0034), 0)) == 1


def test_a_silent_inverter_says_nothing_more() -> None:
    inverter = device(Line.NETWORK, faults=Faults(silent=3))
    heard = converse([inverter], server(), 100)
    assert len(heard) == 3
    assert not inverter.finished


def test_a_slave_that_never_releases_tells_everything_all_the_same() -> None:
    inverter = device(Line.RS485, faults=Faults(never_release=True))
    (asked,) = hears(inverter, grant(), 0)
    (message,) = hears(inverter, gmt(asked), 0)
    for _ in range(MESSAGES_PER_TURN - 2):
        (message,) = hears(inverter, reply(message), 0)
    assert hears(inverter, reply(message), 0) == []
    inverter.handle_time(60)
    assert said(inverter) == []
    assert len(hears(inverter, grant(101), 61)) == 1


@contextmanager
def terminal(
    tmp_path: pathlib.Path, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The simulator behind a port, by its name."""
    link = str(tmp_path / "port")
    command = [sys.executable, "-m", "se.simulator", "--pty", "--link", link, *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().decode().strip() == os.path.realpath(link)
            yield process, link
        finally:
            process.terminate()


@contextmanager
def on_a_terminal(
    tmp_path: pathlib.Path, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], serial.Serial]]:
    """The simulator behind a port that is open."""
    with (
        terminal(tmp_path, *options) as (process, link),
        serial.Serial(link, 115200, timeout=0.02, exclusive=True) as port,
    ):
        yield process, port


OPTIONS = ("--ids", f"{ID:x}", "--interval", "3600", "--optimizers", "2")


def test_rs232_on_a_pseudo_terminal(tmp_path: pathlib.Path) -> None:
    expected = [each.payload for each in Site(PLAN).reports() if each.payload]
    heard: list[bytes] = []
    with on_a_terminal(tmp_path, "--line", "2", *OPTIONS) as (process, port):
        session = server()
        give_up = time.monotonic() + 20
        while len(heard) < len(expected) and time.monotonic() < give_up:
            session.receive_data(port.read(4096), time.time())
            for event in session.events():
                if isinstance(event, Received) and event.message.payload and not event.repeated:
                    heard.append(event.message.payload)
            port.write(session.data_to_send())
        port.write(command(0x0034).to_bytes())
        answer = b""
        while b"\xb1\x00" not in answer and time.monotonic() < give_up:
            answer += port.read(100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr and process.stderr.read() == b""
    assert heard == expected
    assert not (tmp_path / "port").is_symlink()


def test_a_bus_of_two_slaves_on_a_pseudo_terminal(tmp_path: pathlib.Path) -> None:
    options = ("--inverters", "2", "--ids", f"{ID:x},{OTHER:x}", "--days", "0")
    with on_a_terminal(tmp_path, *options) as (process, port):
        for number, slave in enumerate((ID, OTHER, ID), 1):
            port.write(grant(number, slave).to_bytes())
            answer = b""
            while len(answer) < 22:
                answer += port.read(22 - len(answer))
            assert Message.parse(answer) == Message(number, slave, MASTER, RELEASE)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 128 + signal.SIGINT
        assert process.stderr and process.stderr.read() == b""


def test_an_echoing_line_sends_back_what_comes_in(tmp_path: pathlib.Path) -> None:
    with on_a_terminal(tmp_path, "--days", "0", "--echo") as (_, port):
        port.write(b"\x03\x11\x13\r\n\x00\xff")
        answer = b""
        while len(answer) < 7:
            answer += port.read(7)
        assert answer == b"\x03\x11\x13\r\n\x00\xff"


def test_a_program_that_sets_nothing_on_the_port_gets_the_bytes_as_they_are(
    tmp_path: pathlib.Path,
) -> None:
    with terminal(tmp_path, "--days", "0", "--echo") as (_, link):
        port = os.open(link, os.O_RDWR | os.O_NOCTTY)
        os.write(port, bytes(range(256)))
        answer = b""
        while len(answer) < 256 and select.select([port], [], [], 10)[0]:
            answer += os.read(port, 256)
        os.close(port)
    assert answer == bytes(range(256))


def test_what_nobody_reads_is_lost_and_does_not_block(tmp_path: pathlib.Path) -> None:
    with on_a_terminal(tmp_path, "--line", "2", "--days", "0") as (process, port):
        # at last a message may be cut where the line was full
        for _ in range(2000):
            port.write(command(0x0034).to_bytes())
        time.sleep(0.1)
        port.reset_input_buffer()
        give_up = time.monotonic() + 20
        answer = b""
        while b"\xb1\x00" not in answer and time.monotonic() < give_up:
            port.write(command(0x0034).to_bytes())
            answer = port.read(200)
        assert b"\xb1\x00" in answer
        assert process.poll() is None


def test_the_link_of_an_earlier_run_is_replaced(tmp_path: pathlib.Path) -> None:
    (tmp_path / "port").symlink_to("/dev/pts/gone")
    with on_a_terminal(tmp_path, "--days", "0") as (_, port):
        assert port.is_open


def test_a_link_that_cannot_be_made_is_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    assert program.main(["--pty", "--link", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert f"{path}: File exists" in captured.err
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--line 4", "--line is only for --pty"),
        ("--link x", "--link is only for --pty"),
        ("--echo", "--echo is only for --pty"),
        ("--never-release", "--never-release is only for --pty"),
        ("--lose 2", "--lose is only for"),
        ("--noise 2", "--noise is only for"),
        ("--silent 0", "--silent is only for"),
        ("--speed 2", "--speed is only for"),
        ("--pty --line 2 --inverters 2", "one inverter on an RS232 line"),
        ("--pty -o x", "not allowed with"),
        ("--pty --line n", "--line"),
        ("--pty --speed 0", "not a positive number"),
        ("--pty --speed nan", "not a positive number"),
        ("--pty --speed fast", "not a number"),
        ("--pty --lose 0", "not a number from 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = program.main(options.split())
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    assert code == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.err.count("\n") == 1

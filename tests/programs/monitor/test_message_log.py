"""What the log shows of messages, and what it never shows."""

from __future__ import annotations

import logging
import struct

import pytest

from se.log import LOG, MESSAGES, PARSED, RAW
from se.programs.monitor.message_log import MessageLog
from se.programs.monitor.zone import LocalZone
from se.records import parse_telemetry
from se.wire.functions import Function
from se.wire.keyring import KEY_PARAMETERS
from se.wire.message import SERVER, Message
from se.wire.session import Received, Sent
from tests.support.served import INVERTER, telemetry

SECRET = 0x0BADCAFE
HARMLESS = 0x0329


def question(parameter: int, sequence: int = 7) -> Sent:
    payload = struct.pack("<H", parameter)
    return Sent(Message(sequence, SERVER, INVERTER, Function.PARAMS_GET_SINGLE, payload), None)


def answer(sequence: int = 7) -> Received:
    payload = struct.pack("<LH", SECRET, 0)
    message = Message(sequence, INVERTER, SERVER, Function.RESP_PARAMS_SINGLE, payload)
    return Received(message, None, False)


def setting(parameter: int) -> Sent:
    payload = struct.pack("<HL", parameter, SECRET)
    return Sent(Message(8, SERVER, INVERTER, Function.PARAMS_SET_SINGLE, payload), None)


def shown(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the log shows the secret, as a number or in bytes."""
    assert "seq 000" in caplog.text  # it shows the messages, though
    return str(SECRET) in caplog.text or "fe ca" in caplog.text


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(RAW, LOG.name)


@pytest.mark.parametrize("parameter", KEY_PARAMETERS)
def test_a_part_of_a_key_is_shown_neither_in_an_answer_nor_where_it_is_set(
    parameter: int, caplog: pytest.LogCaptureFixture
) -> None:
    log = MessageLog()
    log.message("port out 1", question(parameter))
    log.message("port in 1", answer())
    log.message("port out 2", setting(parameter))
    assert not shown(caplog)


def test_other_parameters_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    log = MessageLog()
    log.message("port out 1", question(HARMLESS))
    log.message("port in 1", answer())
    assert shown(caplog)
    caplog.clear()
    log.message("port out 2", setting(HARMLESS))
    assert shown(caplog)


def test_an_answer_without_its_question_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    log = MessageLog()
    log.message("port in 1", answer())
    log.message("port out 1", question(HARMLESS, sequence=6))
    log.message("port in 2", answer())
    assert not shown(caplog)


def test_a_number_that_is_used_again_for_a_key_is_not_harmless_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = MessageLog()
    log.message("port out 1", question(HARMLESS))
    log.message("port out 2", question(KEY_PARAMETERS[0]))
    log.message("port in 1", answer())
    assert not shown(caplog)


def test_damaged_bytes_are_kept_back_once_a_key_was_asked_for() -> None:
    log = MessageLog()
    log.message("port out 1", question(HARMLESS))
    assert log.without_secret(b"noise") == b"noise"
    log.message("port out 2", question(KEY_PARAMETERS[0]))
    assert log.without_secret(b"noise") == b""


def test_each_level_shows_more(caplog: pytest.LogCaptureFixture) -> None:
    message = telemetry(1)
    lines = {}
    for level in (logging.INFO, MESSAGES, PARSED, RAW):
        caplog.set_level(level, LOG.name)
        caplog.clear()
        log = MessageLog()
        log.message("day.dat in 1", Received(message, message, False))
        log.telemetry(parse_telemetry(message.payload, LocalZone()))
        lines[level] = caplog.messages
    assert lines[logging.INFO] == []
    assert lines[MESSAGES] == [f"day.dat in 1 (encrypted): {message}"]
    [first, parsed] = lines[PARSED]
    assert first == lines[MESSAGES][0] and parsed.startswith('{"inverters":{}')
    raw = b"".join(
        bytes.fromhex(line.removeprefix("data: "))
        for line in lines[RAW]
        if line.startswith("data: ")
    )
    assert raw == message.to_bytes()

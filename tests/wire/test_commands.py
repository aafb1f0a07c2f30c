"""Commands: conversations until each is answered."""

from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from se.errors import CommandError
from se.programs.monitor.options import parse_commands
from se.wire.commands import ANSWER_S, RELEASE_S, REPEATS, Commander, CommandQueue
from se.wire.conversation import TURN_S
from se.wire.crypto import Cipher
from se.wire.framer import Framer
from se.wire.functions import Function
from se.wire.keyring import Keyring
from se.wire.message import SERVER, Message
from se.wire.session import Answered, Received, RecentMessages, Sent, ServerEnvironment, Session

INVERTER, OTHER = 0x7F101234, 0x7F105678
KEY = b"sixteen bytes ok"
GET, RESET, GRANT = (
    Function.PARAMS_GET_SINGLE,
    Function.MISC_RESET,
    Function.POLESTAR_MASTER_GRANT,
)


class Line:
    """A commander, and what it sends; the clock goes on by hand."""

    def __init__(self, text: str, *, grant: bool = False):
        server = ServerEnvironment(offset=lambda utc: 0, random=lambda size: b"\xa5" * size)
        session = Session(Keyring({INVERTER: KEY}, []), RecentMessages(), server, idle=1.0)
        numbers = count(100)
        queue = CommandQueue(INVERTER, deque(parse_commands(text)), lambda: next(numbers))
        self.commander = Commander(session, queue, grant=grant)
        self.now = 1000.0
        self.events: list[Any] = []

    def wait(self, seconds: float) -> list[Message]:
        """What is sent after that time, when the deadlines on the way are kept."""
        end = self.now + seconds
        while (deadline := self.commander.next_deadline()) <= end and not self.commander.done:
            self.now = max(self.now, deadline)
            self.commander.handle_time(self.now)
            self.events += self.commander.events()
        self.now = end
        return self.sent()

    def hear(self, *messages: Message, raw: bytes = b"") -> list[Message]:
        data = raw + b"".join(message.to_bytes() for message in messages)
        self.commander.receive_data(data, self.now)
        return self.sent()

    def sent(self) -> list[Message]:
        self.events += self.commander.events()
        return decode(self.commander.data_to_send())

    @property
    def answers(self) -> list[tuple[int, int]]:
        """The function of each command that was answered, and that of its answer."""
        answered = [event for event in self.events if isinstance(event, Answered)]
        return [(event.function, event.answer.function) for event in answered]


def decode(data: bytes) -> list[Message]:
    framer = Framer()
    framer.feed(data)
    messages = []
    while event := framer.next_event():
        assert isinstance(event, Message)
        messages.append(event)
    assert not framer.pending
    return messages


def functions(messages: Iterable[Message]) -> list[int]:
    return [message.function for message in messages]


def reply(
    request: Message,
    function: int = Function.RESP_PARAMS_SINGLE,
    payload: bytes = bytes(6),
    source: int = INVERTER,
) -> Message:
    return Message(request.sequence, source, SERVER, function, payload)


def release(grant: Message) -> Message:
    return reply(grant, Function.RESP_POLESTAR_MASTER_GRANT_ACK, b"")


def telemetry(sequence: int) -> Message:
    return Message(sequence, INVERTER, SERVER, Function.SERVER_POST_DATA, b"record")


def test_a_command_waits_for_the_answer_to_the_one_before() -> None:
    line = Line("12,H329/30,H1f4,L0")
    (get,) = line.wait(0)
    assert get == Message(100, SERVER, INVERTER, GET, bytes.fromhex("2903"))
    (reset,) = line.hear(reply(get))
    assert reset == Message(101, SERVER, INVERTER, RESET, bytes.fromhex("f40100000000"))
    assert not line.commander.done
    assert line.hear(reply(reset, Function.RESP_ACK, b"")) == []
    assert line.commander.done
    assert line.answers == [(0x12, 0x90), (0x30, 0x80)]
    assert [event.message for event in line.events if isinstance(event, Sent)] == [get, reset]


def test_a_command_is_not_done_before_its_answer_is_handed_out() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.commander.receive_data(reply(get).to_bytes(), line.now)
    assert not line.commander.done
    assert next(line.commander.events()) == Answered(GET, (0x329,), reply(get))
    assert line.commander.done
    assert next(line.commander.events()) == Received(reply(get), None, repeated=False)


def test_a_commander_that_was_stopped_leaves_its_command_to_another() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.commander.stop()
    line.hear(reply(get))
    assert line.answers == []
    assert not line.commander.done


def test_telemetry_is_acknowledged_and_no_answer() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    (ack,) = line.hear(telemetry(get.sequence))
    assert (ack.function, ack.sequence) == (Function.RESP_ACK, get.sequence)
    assert line.answers == []
    line.hear(reply(get))
    assert line.commander.done


def test_only_the_answer_with_its_own_number_counts() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.hear(reply(get._replace(sequence=99)), reply(get._replace(sequence=101)))
    assert line.answers == []
    line.hear(reply(get))
    assert line.commander.done


def test_a_nack_is_an_answer() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.hear(reply(get, Function.RESP_NACK, b""))
    assert line.commander.done
    assert line.answers == [(0x12, 0x81)]


def test_our_own_message_echoed_is_no_answer() -> None:
    line = Line("80")
    (ack,) = line.wait(0)
    assert line.hear(ack) == []
    assert line.answers == []


def test_an_answer_of_another_inverter_is_an_answer() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.hear(reply(get, source=OTHER))
    assert line.commander.done
    assert [event.answer.source for event in line.events if isinstance(event, Answered)] == [OTHER]


def test_an_unanswered_command_is_asked_again_under_its_number() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    assert line.wait(ANSWER_S - 0.1) == []
    assert line.wait(0.1) == [get]
    line.hear(reply(get))
    assert line.commander.done


def test_a_command_that_nobody_answers_is_an_error_that_names_it() -> None:
    line = Line("34/12,H329")
    (first,) = line.wait(0)
    (get,) = line.hear(reply(first, Function.RESP_MISC_GET_TYPE, b"\0\3"))
    assert line.wait(REPEATS * ANSWER_S) == [get] * REPEATS
    with pytest.raises(CommandError, match=r"^inverter 7F101234 did not answer command 12,H329 "):
        line.wait(ANSWER_S)
    assert line.answers == [(0x34, 0xB1)]


def test_the_next_command_has_all_its_repetitions_again() -> None:
    line = Line("12,H329/33")
    (get,) = line.wait(0)
    line.wait(REPEATS * ANSWER_S)
    (version,) = line.hear(reply(get))
    assert line.wait(REPEATS * ANSWER_S) == [version] * REPEATS


def test_a_second_answer_to_a_command_that_was_asked_twice_counts_once() -> None:
    line = Line("12,H329/33")
    (get,) = line.wait(0)
    line.wait(ANSWER_S)
    (version,) = line.hear(reply(get), reply(get))
    assert version.function == Function.MISC_GET_VER
    assert line.answers == [(0x12, 0x90)]


def test_on_rs485_the_bus_is_granted_for_the_answer() -> None:
    line = Line("12,H329/33", grant=True)
    get, grant = line.wait(0)
    assert grant == Message(101, SERVER, INVERTER, GRANT)
    assert functions(line.hear(telemetry(7))) == [Function.RESP_ACK]
    assert line.hear(reply(get)) == []
    version, grant = line.hear(release(grant))
    assert functions([version, grant]) == [Function.MISC_GET_VER, GRANT]
    line.hear(reply(version, Function.RESP_MISC_GET_VER, bytes(4)), release(grant))
    assert line.commander.done


def test_on_rs485_a_released_bus_without_an_answer_is_granted_again() -> None:
    line = Line("12,H329", grant=True)
    get, grant = line.wait(0)
    assert line.hear(release(grant)) == []
    again, second_grant = line.wait(ANSWER_S)
    assert (again, second_grant.function) == (get, GRANT)
    assert second_grant.sequence != grant.sequence
    line.hear(release(second_grant), reply(get))
    assert line.commander.done


def test_on_rs485_an_inverter_that_still_speaks_is_not_interrupted() -> None:
    line = Line("12,H329/33", grant=True)
    get, _ = line.wait(0)
    line.hear(reply(get))
    for sequence in range(1, 100):
        sent = line.hear(Message(sequence, INVERTER, SERVER, Function.SERVER_POST_DATA, b"data"))
        assert [message.function for message in sent] == [Function.RESP_ACK]
        if line.wait(RELEASE_S - 0.5):
            break
    assert sequence == TURN_S // (RELEASE_S - 0.5)


def test_on_rs485_an_inverter_that_never_releases_the_bus_holds_up_nothing() -> None:
    line = Line("12,H329/33", grant=True)
    get, _ = line.wait(0)
    assert line.hear(reply(get)) == []
    assert line.wait(RELEASE_S - 0.1) == []
    version, _ = line.wait(0.1)
    assert line.hear(reply(version, Function.RESP_MISC_GET_VER, bytes(4))) == []
    assert not line.commander.done
    line.wait(RELEASE_S)
    assert line.commander.done


def test_a_command_in_an_encrypted_session_is_encrypted() -> None:
    line = Line("12,H329")
    opening = bytes(range(34))
    line.hear(Message(1, INVERTER, SERVER, Function.SERVER_SET_KEY, opening))
    (wrapper,) = line.wait(0)
    cipher = Cipher(KEY, opening)
    get = cipher.decrypt(wrapper.payload)
    assert get is not None
    assert functions([wrapper, get]) == [Function.MISC_ENCRYPTED, GET]
    line.hear(cipher.encrypt(reply(get), 9, bytes(range(20))))
    assert line.answers == [(0x12, 0x90)]


def test_damage_on_the_line_is_given_up_after_a_pause() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.hear(raw=reply(get).to_bytes()[:-3])
    line.wait(ANSWER_S)
    line.hear(reply(get))
    assert line.commander.done


def test_a_clock_that_is_set_back_does_not_stop_the_questions() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.commander.handle_time(line.now - 86400)
    assert line.sent() == [get]
    assert line.commander.next_deadline() == line.now - 86400 + ANSWER_S


def test_an_interrupted_stream_gives_up_what_is_incomplete() -> None:
    line = Line("12,H329")
    (get,) = line.wait(0)
    line.hear(raw=reply(get).to_bytes()[:-3])
    line.commander.close()
    line.hear(reply(get))
    assert line.commander.done

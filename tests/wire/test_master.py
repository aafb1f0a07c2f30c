"""The RS485 master: turns, silence, releases, remarks."""

from itertools import count
from typing import Any

from se.wire.conversation import TURN_S
from se.wire.framer import Discarded
from se.wire.functions import Function
from se.wire.keyring import Keyring
from se.wire.master import (
    FINISHED_S,
    NO_DATA,
    PAUSE_S,
    SILENCE_S,
    SILENT,
    TURNS,
    Master,
)
from se.wire.message import SERVER, Message
from se.wire.session import Notice, Received, RecentMessages, ServerEnvironment, Session
from tests.captures import ENCRYPTED
from tests.wire.test_commands import decode, functions, release, reply

FIRST, SECOND, STRANGER = 0x7F101234, 0x7F105678, 0x7F109999
GRANT = Function.POLESTAR_MASTER_GRANT


class Bus:
    """A master of two slaves, and what it sends; the clock goes on by hand."""

    def __init__(self, *slaves: int):
        server = ServerEnvironment(offset=lambda utc: 3600, random=lambda size: bytes(size))
        session = Session(Keyring({}, []), RecentMessages(), server, idle=1.0)
        numbers = count(1)
        self.master = Master(session, slaves or (FIRST, SECOND), lambda: next(numbers))
        self.now = 1000.0
        self.events: list[Any] = []

    def wait(self, seconds: float) -> list[Message]:
        """What is sent within that time."""
        end = self.now + seconds
        while (deadline := self.master.next_deadline()) <= end:
            self.now = max(self.now, deadline)
            self.master.handle_time(self.now)
            self.events += self.master.events()
        self.now = end
        return decode(self.master.data_to_send())

    def hear(self, *messages: Message, raw: bytes = b"") -> list[Message]:
        data = raw + b"".join(message.to_bytes() for message in messages)
        self.master.receive_data(data, self.now)
        self.events += self.master.events()
        return decode(self.master.data_to_send())

    def grant(self) -> Message:
        """The grant that is sent next, whenever that is."""
        while True:
            sent = self.wait(max(0.0, self.master.next_deadline() - self.now))
            if sent:
                (grant,) = sent
                assert grant.function == GRANT
                return grant

    @property
    def remarks(self) -> list[Notice]:
        return [event for event in self.events if isinstance(event, Notice)]


def telemetry(source: int, sequence: int = 7) -> Message:
    return Message(sequence, source, SERVER, Function.SERVER_POST_DATA, b"record")


def test_the_bus_is_granted_to_each_slave_in_turn() -> None:
    bus = Bus()
    first = bus.grant()
    assert first == Message(1, SERVER, FIRST, GRANT)
    (second,) = bus.hear(release(first))
    assert second == Message(2, SERVER, SECOND, GRANT)


def test_rounds_begin_5_seconds_after_the_last_slave() -> None:
    bus = Bus()
    (second,) = bus.hear(release(bus.grant()))
    assert bus.hear(release(second)) == []
    assert bus.wait(PAUSE_S - 0.1) == []
    assert bus.wait(0.1) == [Message(3, SERVER, FIRST, GRANT)]


def test_telemetry_is_acknowledged_and_the_bus_stays_with_its_slave() -> None:
    bus = Bus()
    first = bus.grant()
    for sequence in (7, 8, 9):
        (ack,) = bus.hear(telemetry(FIRST, sequence))
        assert ack == Message(sequence, SERVER, FIRST, Function.RESP_ACK)
        assert bus.wait(FINISHED_S - 0.1) == []
    assert functions(bus.hear(release(first))) == [GRANT]


def test_the_question_for_the_time_is_answered() -> None:
    bus = Bus()
    bus.grant()
    (answer,) = bus.hear(Message(5, FIRST, SERVER, Function.SERVER_GET_GMT))
    assert answer.function == Function.RESP_SERVER_GMT
    assert answer.payload == (1000).to_bytes(4, "little") + (3600).to_bytes(4, "little")


def test_a_slave_that_is_silent_loses_its_turn() -> None:
    bus = Bus()
    bus.grant()
    assert bus.wait(SILENCE_S - 0.1) == []
    assert bus.wait(0.1) == [Message(2, SERVER, SECOND, GRANT)]


def test_a_slave_that_has_sent_and_falls_silent_has_finished() -> None:
    bus = Bus()
    bus.grant()
    bus.wait(SILENCE_S - 0.1)
    bus.hear(telemetry(FIRST))
    assert bus.wait(FINISHED_S - 0.1) == []
    assert bus.wait(0.1) == [Message(2, SERVER, SECOND, GRANT)]


def test_a_slave_that_never_falls_silent_does_not_keep_the_bus() -> None:
    bus = Bus()
    bus.grant()
    seconds = 0
    while GRANT not in functions(bus.hear(telemetry(FIRST, seconds + 1)) + bus.wait(1)):
        seconds += 1
        assert seconds <= TURN_S
    assert seconds >= TURN_S - 2


def test_noise_does_not_prolong_a_turn() -> None:
    bus = Bus()
    bus.grant()
    for _ in range(int(SILENCE_S) - 1):
        assert bus.wait(1) == []
        assert bus.hear(raw=b"\xff" * 50) == []
    assert bus.wait(1) == [Message(2, SERVER, SECOND, GRANT)]
    assert any(isinstance(event, Discarded) for event in bus.events)


def test_what_another_slave_says_does_not_prolong_a_turn() -> None:
    bus = Bus()
    bus.grant()
    bus.wait(SILENCE_S - 0.1)
    assert functions(bus.hear(telemetry(SECOND))) == [Function.RESP_ACK]
    assert bus.wait(0.1) == [Message(2, SERVER, SECOND, GRANT)]


def test_a_release_of_an_earlier_turn_ends_no_other() -> None:
    bus = Bus()
    late = bus.grant()
    bus.wait(SILENCE_S)
    assert bus.hear(release(late)) == []


def test_telemetry_in_the_pause_is_acknowledged() -> None:
    bus = Bus(FIRST)
    assert bus.hear(release(bus.grant())) == []
    assert functions(bus.hear(telemetry(FIRST))) == [Function.RESP_ACK]
    assert functions(bus.wait(PAUSE_S)) == [GRANT]


def test_an_echo_of_the_grant_is_no_release() -> None:
    bus = Bus()
    assert bus.hear(bus.grant()) == []
    assert functions(bus.wait(SILENCE_S)) == [GRANT]


def test_a_release_under_another_id_is_one() -> None:
    bus = Bus()
    (second,) = bus.hear(reply(bus.grant(), Function.RESP_POLESTAR_MASTER_GRANT_ACK, b"", STRANGER))
    assert second.dest == SECOND


def test_what_cannot_be_decrypted_prolongs_the_turn() -> None:
    bus = Bus()
    bus.grant()
    bus.wait(SILENCE_S - 0.1)
    assert bus.hear(raw=ENCRYPTED) == []
    assert bus.wait(FINISHED_S - 0.1) == []
    assert functions(bus.wait(0.1)) == [GRANT]


def test_a_slave_that_answers_and_never_sends_gets_the_hint_once() -> None:
    bus = Bus(FIRST)
    for _ in range(TURNS - 1):
        bus.hear(release(bus.grant()))
    assert bus.remarks == []
    for _ in range(3 * TURNS):
        bus.hear(release(bus.grant()))
    assert bus.remarks == [Notice(FIRST, NO_DATA)]


def test_a_slave_that_has_sent_something_gets_no_hint() -> None:
    bus = Bus(FIRST)
    grant = bus.grant()
    bus.hear(telemetry(FIRST), release(grant))
    for _ in range(3 * TURNS):
        bus.hear(release(bus.grant()))
    assert bus.remarks == []


def test_a_slave_that_is_silent_is_named_once_until_it_is_heard_again() -> None:
    bus = Bus(FIRST)
    for _ in range(3 * TURNS):
        bus.grant()
    assert bus.remarks == [Notice(FIRST, SILENT)]
    bus.hear(telemetry(FIRST))
    for _ in range(2 * TURNS):
        bus.grant()
    assert bus.remarks == [Notice(FIRST, SILENT)] * 2


def test_a_lost_grant_now_and_then_is_not_worth_a_word() -> None:
    bus = Bus(FIRST)
    for turn in range(12):
        grant = bus.grant()
        if turn % TURNS == 0:
            bus.hear(telemetry(FIRST, turn + 1), release(grant))
    assert bus.remarks == []


def test_a_message_that_comes_again_is_acknowledged_again() -> None:
    bus = Bus()
    bus.grant()
    for _ in range(3):
        assert functions(bus.hear(telemetry(FIRST))) == [Function.RESP_ACK]
    received = [event for event in bus.events if isinstance(event, Received)]
    assert [event.repeated for event in received] == [False, True, True]


def test_a_clock_that_is_set_back_does_not_stop_the_turns() -> None:
    bus = Bus()
    bus.grant()
    bus.now -= 86400
    bus.master.handle_time(bus.now)
    assert decode(bus.master.data_to_send()) == [Message(2, SERVER, SECOND, GRANT)]
    assert bus.wait(SILENCE_S + PAUSE_S) == [Message(3, SERVER, FIRST, GRANT)]

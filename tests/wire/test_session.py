"""Sessions: listening, answering, encryption, repetitions, deadlines."""

import pickle
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.wire.crypto import Cipher
from se.wire.framer import Discarded
from se.wire.functions import Function
from se.wire.keyring import DecryptionFailure, Keyring
from se.wire.message import SERVER, Message, Reason
from se.wire.session import (
    REPEATS_KNOWN,
    SOURCES_KNOWN,
    Event,
    Received,
    RecentMessages,
    Sent,
    ServerEnvironment,
    Session,
    Undecrypted,
)
from tests.captures import ENCRYPTED, ENCRYPTED_INNER, GOOD, SET_KEY, TRIPLE_KEY

INVERTER, OTHER = 0x7F101234, 0x7F105678
KEY = b"sixteen bytes ok"
OPENING = bytes(range(34))


def server() -> ServerEnvironment:
    return ServerEnvironment(offset=lambda utc: 3600, random=lambda size: b"\xa5" * size)


def session(*, answering: bool = True, keys: bool = True, idle: float | None = None) -> Session:
    keyring = Keyring({INVERTER: KEY} if keys else {}, [])
    return Session(keyring, RecentMessages(), server() if answering else None, idle=idle)


def telemetry(sequence: int = 1, payload: bytes = b"record", source: int = INVERTER) -> Message:
    return Message(sequence, source, SERVER, Function.SERVER_POST_DATA, payload)


def feed(session: Session, *messages: Message, now: float = 1000.0) -> list[Event]:
    session.receive_data(b"".join(message.to_bytes() for message in messages), now)
    return list(session.events())


def received(events: Iterable[Event]) -> list[Message]:
    return [event.message for event in events if isinstance(event, Received)]


def answers(session: Session) -> list[Message]:
    other = Session(Keyring({}, []), RecentMessages())
    other.receive_data(session.data_to_send(), 0)
    return [event.message for event in other.events() if isinstance(event, Received | Undecrypted)]


def test_a_listener_answers_nothing() -> None:
    listener = session(answering=False)
    assert received(feed(listener, telemetry())) == [telemetry()]
    assert listener.data_to_send() == b""


def test_telemetry_is_acknowledged_with_its_own_sequence() -> None:
    server = session()
    events = feed(server, telemetry(7, b"not a record"), telemetry(8, b""))
    assert answers(server) == [
        Message(7, SERVER, INVERTER, Function.RESP_ACK),
        Message(8, SERVER, INVERTER, Function.RESP_ACK),
    ]
    assert server.data_to_send() == b""
    assert [type(event) for event in events] == [Received, Sent, Received, Sent]


def test_the_time_request_is_answered_with_time_and_zone() -> None:
    server = session()
    feed(server, Message(5, INVERTER, SERVER, Function.SERVER_GET_GMT), now=1446346358.9)
    [answer] = answers(server)
    assert answer.function == Function.RESP_SERVER_GMT
    assert (answer.sequence, answer.source, answer.dest) == (5, SERVER, INVERTER)
    assert answer.payload.hex() == "767e3556100e0000"


def test_nothing_else_and_no_echo_of_ours_is_answered() -> None:
    server = session()
    feed(server, Message(1, INVERTER, SERVER, 0x0333, b"power"))
    feed(server, Message(2, INVERTER, SERVER, Function.RESP_PARAMS_SINGLE, bytes(6)))
    feed(server, Message(3, SERVER, INVERTER, Function.SERVER_POST_DATA))
    assert server.data_to_send() == b""


def test_the_opening_of_a_session_and_all_after_it_is_answered_encrypted() -> None:
    server = session()
    cipher = Cipher(KEY, OPENING)
    feed(server, Message(1, INVERTER, SERVER, Function.SERVER_SET_KEY, OPENING))
    events = feed(server, telemetry(2))
    feed(server, cipher.encrypt(telemetry(3), 9, bytes(20)))
    inner = []
    wrappers = answers(server)
    for wrapper in wrappers:
        assert wrapper.function == Function.MISC_ENCRYPTED
        inner.append(cipher.decrypt(wrapper.payload))
    assert inner == [
        Message(sequence, SERVER, INVERTER, Function.RESP_ACK) for sequence in (1, 2, 3)
    ]
    assert [wrapper.sequence for wrapper in wrappers] == [1, 2, 3]
    assert any(isinstance(event, Sent) and event.wrapper for event in events)


def test_an_encrypted_message_of_a_restored_session_is_answered_encrypted() -> None:
    keyring = Keyring({INVERTER: KEY}, [])
    keyring.open_session(INVERTER, OPENING, 1446346358)
    restarted = Session(keyring, RecentMessages(), server())
    wrapper = Cipher(KEY, OPENING).encrypt(telemetry(3), 9, bytes(20))
    [event, _] = feed(restarted, wrapper)
    assert event == Received(telemetry(3), wrapper, repeated=False)
    assert [answer.function for answer in answers(restarted)] == [Function.MISC_ENCRYPTED]


def test_an_opening_without_a_key_is_not_answered() -> None:
    server = session(keys=False)
    feed(server, Message(1, INVERTER, SERVER, Function.SERVER_SET_KEY, OPENING))
    assert server.data_to_send() == b""


def test_a_plain_message_is_answered_plain_although_a_key_is_there() -> None:
    server = session()
    feed(server, telemetry())
    assert [answer.function for answer in answers(server)] == [Function.RESP_ACK]


def test_the_real_encrypted_session() -> None:
    listener = Session(Keyring({0x7F104920: TRIPLE_KEY}, []), RecentMessages())
    listener.receive_data(SET_KEY + ENCRYPTED, 0)
    events = list(listener.events())
    assert received(events) == [Message.parse(SET_KEY), Message.parse(ENCRYPTED_INNER)]


def test_what_cannot_be_decrypted_says_why() -> None:
    listener = session(answering=False, keys=False)
    listener.receive_data(ENCRYPTED, 0)
    [event] = listener.events()
    assert event == Undecrypted(Message.parse(ENCRYPTED), DecryptionFailure.NO_KEY, None)


def test_messages_framed_elsewhere_are_handled_as_their_bytes_are() -> None:
    cipher = Cipher(KEY, OPENING)
    messages = [
        telemetry(1),
        Message(2, INVERTER, SERVER, Function.SERVER_GET_GMT),
        telemetry(1),
        Message(3, INVERTER, SERVER, Function.SERVER_SET_KEY, OPENING),
        cipher.encrypt(telemetry(4), 9, bytes(20)),
        Message.parse(ENCRYPTED),
        Message(5, INVERTER, SERVER, 0x0333, b"power"),
    ]
    bytewise, framed = session(), session()
    expected = feed(bytewise, *messages, now=1446346358.9)
    for message in messages:
        framed.receive_message(message, 1446346358.9)
    assert list(framed.events()) == expected
    sent = bytewise.data_to_send()
    assert sent and framed.data_to_send() == sent
    for number, message in enumerate(messages):  # and with the events taken after each
        expected = feed(bytewise, message, now=2e9 + number)
        framed.receive_message(message, 2e9 + number)
        assert list(framed.events()) == expected
        assert framed.data_to_send() == bytewise.data_to_send()


def test_a_message_that_comes_again_is_acknowledged_again_and_known() -> None:
    server = session()
    events = feed(server, telemetry(1), telemetry(2), telemetry(1))
    assert [e.repeated for e in events if isinstance(e, Received)] == [False, False, True]
    assert len(answers(server)) == 3


def test_the_same_sequence_with_other_contents_is_no_repetition() -> None:
    events = feed(session(), telemetry(1), telemetry(1, b"other"), telemetry(1, source=OTHER))
    assert not any(event.repeated for event in events if isinstance(event, Received))


def test_keep_alives_are_never_repetitions() -> None:
    events = feed(session(), telemetry(1, b""), telemetry(1, b""))
    assert not any(event.repeated for event in events if isinstance(event, Received))


def test_repetitions_are_known_for_eight_messages_of_each_of_many_sources() -> None:
    recent = RecentMessages()
    for sequence in range(REPEATS_KNOWN + 1):
        assert not recent.is_repeat(telemetry(sequence))
    assert recent.is_repeat(telemetry(1))
    assert not recent.is_repeat(telemetry(0))
    for source in range(SOURCES_KNOWN):
        recent.is_repeat(telemetry(source=source))
    assert not recent.is_repeat(telemetry(REPEATS_KNOWN))


def test_what_is_remembered_of_messages_is_small() -> None:
    recent = RecentMessages()
    for sequence in range(REPEATS_KNOWN):
        recent.is_repeat(telemetry(sequence, bytes(60000)))
    assert len(pickle.dumps(recent)) < 2000


def test_eight_messages_of_a_source_are_remembered_and_active_sources_longest() -> None:
    assert REPEATS_KNOWN == 8
    recent = RecentMessages()
    recent.is_repeat(telemetry(1))
    for source in range(SOURCES_KNOWN + 10):
        recent.is_repeat(telemetry(2, source=source))
        assert recent.is_repeat(telemetry(1))


def test_an_incomplete_message_is_given_up_after_the_pause() -> None:
    line = session(idle=1.0)
    assert line.next_deadline() is None
    line.receive_data(GOOD[0][:-1], 50.0)
    assert list(line.events()) == []
    assert line.next_deadline() == 51.0
    line.handle_time(50.9)
    assert list(line.events()) == []
    line.handle_time(51.0)
    assert list(line.events()) == [Discarded(GOOD[0][:-1], Reason.INCOMPLETE)]
    assert line.next_deadline() is None


def test_without_a_pause_only_the_end_gives_up() -> None:
    stream = session()
    stream.receive_data(GOOD[0][:-1], 50.0)
    stream.handle_time(9e9)
    assert list(stream.events()) == []
    stream.close()
    assert list(stream.events()) == [Discarded(GOOD[0][:-1], Reason.INCOMPLETE)]


@pytest.mark.parametrize("answering", [True, False])
@given(st.lists(st.one_of(st.sampled_from(GOOD), st.binary(max_size=60)), max_size=20))
def test_no_bytes_raise(answering: bool, pieces: list[bytes]) -> None:
    line = session(answering=answering)
    for piece in pieces:
        line.receive_data(piece, 0)
        list(line.events())
        line.data_to_send()

"""Which key fits which session."""

import random

from se.wire.crypto import Cipher
from se.wire.keyring import (
    MAX_SESSIONS,
    SESSIONS_PER_INVERTER,
    DecryptionFailure,
    Keyring,
    SetKey,
)
from se.wire.message import Message
from tests.captures import ENCRYPTED, SET_KEY, TRIPLE_KEY

A, B = 0x7F101234, 0x7F105678
KEY_A, KEY_B, KEY_C = (bytes([number]) * 16 for number in (1, 2, 3))
SOURCE = random.Random(7)
NOW = 1446346358


def opening() -> bytes:
    return SOURCE.randbytes(34)


def encrypted(key: bytes, set_key: bytes, sequence: int = 1, source: int = A) -> bytes:
    message = Message(sequence, source, 0xFFFFFFFE, 0x0500, b"data")
    return Cipher(key, set_key).encrypt(message, 1, SOURCE.randbytes(20)).payload


def test_the_real_session_opens_with_its_key_among_others() -> None:
    keyring = Keyring({}, [KEY_A, TRIPLE_KEY])
    opened = Message.parse(SET_KEY)
    keyring.open_session(opened.source, opened.payload, NOW)
    decrypted = keyring.decrypt(Message.parse(ENCRYPTED).payload)
    assert decrypted is not None
    assert decrypted[0].function == 0x0080
    assert decrypted[1] == 0x7F104920


def test_several_sessions_are_told_apart_by_the_inner_message() -> None:
    keyring = Keyring({A: KEY_A}, [KEY_C, KEY_B])
    set_a, set_b = opening(), opening()
    keyring.open_session(A, set_a, NOW)
    keyring.open_session(B, set_b, NOW)
    for _ in range(3):
        decrypted_a = keyring.decrypt(encrypted(KEY_A, set_a))
        decrypted_b = keyring.decrypt(encrypted(KEY_B, set_b, source=B))
        assert decrypted_a is not None and decrypted_a[1] == A
        assert decrypted_b is not None and decrypted_b[1] == B


def test_a_late_message_of_the_session_before_is_still_decrypted() -> None:
    keyring = Keyring({A: KEY_A}, [])
    sessions = [opening() for _ in range(SESSIONS_PER_INVERTER + 1)]
    for session in sessions:
        keyring.open_session(A, session, NOW)
    assert keyring.decrypt(encrypted(KEY_A, sessions[0])) is None
    assert keyring.decrypt(encrypted(KEY_A, sessions[1])) is not None


def test_a_key_of_another_inverter_is_not_tried() -> None:
    keyring = Keyring({B: KEY_A}, [])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    assert keyring.decrypt(encrypted(KEY_A, set_key)) is None
    assert keyring.record_failure() == (DecryptionFailure.NO_KEY, A)
    assert keyring.cipher(A) is None


def test_without_keys_that_is_the_reason() -> None:
    assert Keyring({}, []).record_failure() == (DecryptionFailure.NO_KEY, None)


def test_a_session_that_began_before_us_is_waited_for() -> None:
    keyring = Keyring({A: KEY_A}, [])
    assert keyring.decrypt(encrypted(KEY_A, opening())) is None
    assert keyring.record_failure() == (DecryptionFailure.NO_SESSION, None)


def test_a_key_that_does_not_fit_is_said_of_its_inverter_after_three_messages() -> None:
    keyring = Keyring({A: KEY_A}, [])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    assert keyring.wrong_keys() == []
    for reason, inverter in (
        (DecryptionFailure.UNDECIDED, None),
        (DecryptionFailure.UNDECIDED, None),
        (DecryptionFailure.WRONG_KEY, A),
    ):
        assert keyring.decrypt(encrypted(KEY_B, set_key)) is None
        assert keyring.record_failure() == (reason, inverter)
    assert keyring.wrong_keys() == [A]


def test_a_right_key_is_not_blamed_for_messages_of_others_before_its_first() -> None:
    keyring = Keyring({A: KEY_A}, [])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    assert keyring.record_failure() == (DecryptionFailure.UNDECIDED, None)
    assert keyring.decrypt(encrypted(KEY_A, set_key)) is not None
    assert keyring.wrong_keys() == []
    assert keyring.record_failure() == (DecryptionFailure.NO_SESSION, None)


def test_where_an_inverter_has_no_key_what_is_undecrypted_is_its_own() -> None:
    keyring = Keyring({A: KEY_A}, [])
    keyring.open_session(B, opening(), NOW)
    keyring.open_session(A, opening(), NOW)
    for _ in range(100):
        assert keyring.record_failure() == (DecryptionFailure.NO_KEY, B)
    assert keyring.wrong_keys() == []


def test_a_key_that_fitted_once_is_not_blamed_for_another_inverters_messages() -> None:
    keyring = Keyring({A: KEY_A}, [])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    assert keyring.decrypt(encrypted(KEY_A, set_key)) is not None
    keyring.open_session(A, opening(), NOW)
    assert keyring.decrypt(encrypted(KEY_B, opening())) is None
    assert keyring.record_failure() == (DecryptionFailure.NO_SESSION, None)


def test_of_two_inverters_the_one_whose_key_does_not_fit_is_named() -> None:
    keyring = Keyring({A: KEY_A, B: KEY_B}, [])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    assert keyring.decrypt(encrypted(KEY_A, set_key)) is not None
    keyring.open_session(B, opening(), NOW)
    keyring.record_failure()
    assert keyring.wrong_keys() == [B]
    cipher = keyring.cipher(A)
    assert cipher is not None and cipher.key == KEY_A


def test_a_repeated_opening_gives_the_next_key_its_turn() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B])
    set_key = opening()
    turns = []
    for _ in range(3):
        keyring.open_session(A, set_key, NOW)
        cipher = keyring.cipher(A)
        assert cipher is not None
        turns.append(cipher.key)
    assert turns == [KEY_A, KEY_B, KEY_A]
    assert keyring.decrypt(encrypted(KEY_B, set_key)) is not None
    for _ in range(2):
        keyring.open_session(A, set_key, NOW)
        cipher = keyring.cipher(A)
        assert cipher is not None and cipher.key == KEY_B


def test_a_proven_key_is_the_inverters_own_from_then_on() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B])
    first, second = opening(), opening()
    keyring.open_session(A, first, NOW)
    assert keyring.decrypt(encrypted(KEY_B, first)) is not None
    keyring.open_session(A, second, NOW)
    assert keyring.decrypt(encrypted(KEY_A, second)) is None
    assert keyring.decrypt(encrypted(KEY_B, second)) is not None


def test_sessions_survive_a_restart_with_the_key_that_fitted_first() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B])
    set_key = opening()
    assert not keyring.changed
    keyring.open_session(A, set_key, NOW)
    assert keyring.changed
    assert keyring.stored_sessions == [SetKey(A, set_key, NOW, "")]
    keyring.changed = False
    keyring.decrypt(encrypted(KEY_B, set_key))
    assert keyring.changed
    [stored] = keyring.stored_sessions
    assert stored.check

    restarted = Keyring({}, [KEY_A, KEY_B])
    restarted.restore([stored])
    assert not restarted.changed
    cipher = restarted.cipher(A)
    assert cipher is not None and cipher.key == KEY_B
    assert restarted.decrypt(encrypted(KEY_B, set_key)) is not None


def test_the_check_of_a_key_that_fitted_stands_beside_all_sessions_of_its_inverter() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B])
    first, second = opening(), opening()
    for set_key in (first, second):
        keyring.open_session(A, set_key, NOW)
    assert keyring.decrypt(encrypted(KEY_B, second)) is not None
    check = Cipher(KEY_B, second).key_check
    assert keyring.stored_sessions == [SetKey(A, first, NOW, check), SetKey(A, second, NOW, check)]


def test_a_stored_session_whose_key_is_gone_is_left_out() -> None:
    keyring = Keyring({B: KEY_B}, [])
    keyring.restore([SetKey(A, opening(), NOW, "123456")])
    assert keyring.stored_sessions == []


def test_a_stored_session_that_is_over_is_no_wrong_key() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B])
    keyring.restore([SetKey(A, opening(), NOW, "")])
    cipher = keyring.cipher(A)
    assert cipher is not None and cipher.key == KEY_A
    assert keyring.decrypt(encrypted(KEY_A, opening())) is None
    assert keyring.record_failure() == (DecryptionFailure.NO_SESSION, None)


def test_a_payload_that_is_too_short_opens_nothing() -> None:
    keyring = Keyring({A: KEY_A}, [])
    keyring.open_session(A, bytes(31), NOW)
    assert keyring.cipher(A) is None
    assert not keyring.changed


def test_openings_without_end_do_not_fill_the_memory() -> None:
    keyring = Keyring({}, [KEY_A])
    for inverter in range(MAX_SESSIONS + 10):
        keyring.open_session(inverter, opening(), NOW)
    assert len(keyring.stored_sessions) == MAX_SESSIONS
    assert keyring.stored_sessions[-1].inverter == MAX_SESSIONS + 9


def test_a_new_opening_after_one_that_led_to_nothing_has_the_next_key() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B, KEY_C])
    turns = []
    for _ in range(4):
        keyring.open_session(A, opening(), NOW)
        cipher = keyring.cipher(A)
        assert cipher is not None
        turns.append(cipher.key)
    assert turns == [KEY_A, KEY_B, KEY_C, KEY_A]


def test_an_answer_under_a_wrong_key_does_not_bind_it() -> None:
    """As it stands in a recording of a server that had to try its keys."""
    keyring = Keyring({}, [KEY_A, KEY_B])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    guess = encrypted(KEY_A, set_key, source=0xFFFFFFFE)
    assert keyring.decrypt(guess) is not None
    decrypted = keyring.decrypt(encrypted(KEY_B, set_key))
    assert decrypted is not None and decrypted[1] == A


def test_a_binding_survives_restarts_although_others_open_sessions_in_between() -> None:
    keyring = Keyring({}, [KEY_A, KEY_B])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    keyring.decrypt(encrypted(KEY_B, set_key))
    for _ in range(2):
        stored = keyring.stored_sessions
        keyring = Keyring({}, [KEY_A, KEY_B])
        keyring.restore(stored)
        keyring.open_session(B, opening(), NOW)
        keyring.open_session(A, opening(), NOW)
        cipher = keyring.cipher(A)
        assert cipher is not None and cipher.key == KEY_B


def test_the_sessions_of_the_likely_inverters_are_tried_first() -> None:
    keyring = Keyring({A: KEY_A, B: KEY_A}, [])
    set_key = opening()
    for inverter in (A, B):
        keyring.open_session(inverter, set_key, NOW)
    decrypted = [keyring.decrypt(encrypted(KEY_A, set_key), [likely]) for likely in (A, B, A)]
    assert [found[1] for found in decrypted if found] == [A, B, A]


def test_the_session_that_was_used_last_is_tried_first() -> None:
    keyring = Keyring({A: KEY_A, B: KEY_A}, [])
    set_key = opening()
    for inverter in (B, A, B):
        keyring.open_session(inverter, set_key, NOW)
    decrypted = keyring.decrypt(encrypted(KEY_A, set_key))
    assert decrypted is not None and decrypted[1] == B


def test_answers_are_encrypted_in_the_session_that_was_used_last() -> None:
    keyring = Keyring({A: KEY_A}, [])
    first, second = opening(), opening()

    def answers_in(set_key: bytes) -> bool:
        cipher, answer = keyring.cipher(A), Message(1, 0xFFFFFFFE, A, 0x80)
        assert cipher is not None
        wrapper = cipher.encrypt(answer, 1, SOURCE.randbytes(20))
        return Cipher(KEY_A, set_key).decrypt(wrapper.payload) == answer

    for set_key in (first, second, first):
        keyring.open_session(A, set_key, NOW)
        assert answers_in(set_key)
    for set_key in (second, first):
        assert keyring.decrypt(encrypted(KEY_A, set_key)) is not None
        assert answers_in(set_key)


def test_why_an_inverter_stays_silent_is_known_when_every_key_had_its_turn() -> None:
    keyring = Keyring({B: KEY_B}, [])
    assert keyring.handshake_failure(A) == DecryptionFailure.NO_KEY
    keyring = Keyring({}, [KEY_A, KEY_B])
    set_key, reasons = opening(), []
    for _ in range(3):
        keyring.open_session(A, set_key, NOW)
        reasons.append(keyring.handshake_failure(A))
    assert reasons == [None, None, DecryptionFailure.WRONG_KEY]
    keyring.decrypt(encrypted(KEY_B, set_key))
    assert keyring.handshake_failure(A) is None


def test_openings_that_lead_to_nothing_do_not_drive_out_sessions_in_use() -> None:
    keyring = Keyring({A: KEY_A}, [KEY_B])
    set_key = opening()
    keyring.open_session(A, set_key, NOW)
    assert keyring.decrypt(encrypted(KEY_A, set_key)) is not None
    for inverter in range(1, MAX_SESSIONS + 10):
        keyring.open_session(inverter, opening(), NOW)
    for _ in range(SESSIONS_PER_INVERTER):
        keyring.open_session(A, opening(), NOW)
    assert keyring.decrypt(encrypted(KEY_A, set_key)) is not None


def test_an_inverter_that_is_forgotten_is_not_blamed_any_more() -> None:
    keyring = Keyring({}, [KEY_A])
    keyring.open_session(A, opening(), NOW)
    for inverter in range(1, MAX_SESSIONS + 1):
        keyring.open_session(inverter, opening(), NOW)
        keyring.decrypt(encrypted(KEY_A, keyring.stored_sessions[-1].payload, source=inverter))
    assert keyring.record_failure() == (DecryptionFailure.NO_SESSION, None)

"""The cipher, against the one real session whose key is known."""

import random

from se.wire.crypto import Cipher, session_key
from se.wire.message import Message
from tests.captures import ENCRYPTED, ENCRYPTED_INNER, SET_KEY, TRIPLE_KEY

SET_KEY_PAYLOAD = Message.parse(SET_KEY).payload
CIPHER = Cipher(TRIPLE_KEY, SET_KEY_PAYLOAD)


def test_the_session_key_of_the_real_session() -> None:
    assert session_key(TRIPLE_KEY, SET_KEY_PAYLOAD).hex() == "a62d80deb81c65e496268d0b126be0ec"


def test_the_real_encrypted_message_decrypts() -> None:
    inner = CIPHER.decrypt(Message.parse(ENCRYPTED).payload)
    assert inner is not None
    assert inner.to_bytes() == ENCRYPTED_INNER


def test_what_is_encrypted_decrypts_under_the_same_session_alone() -> None:
    source = random.Random(1)
    other = Cipher(bytes(16), SET_KEY_PAYLOAD)
    for size in (0, 1, 100, 1400):
        message = Message(9, 0xFFFFFFFE, 0x7F104920, 0x0080, source.randbytes(size))
        wrapper = CIPHER.encrypt(message, 77, source.randbytes(Cipher.random_size))
        assert (wrapper.sequence, wrapper.source, wrapper.dest) == (77, 0xFFFFFFFD, 0xFFFFFFFF)
        assert wrapper.function == 0x003D
        assert CIPHER.decrypt(wrapper.payload) == message
        assert other.decrypt(wrapper.payload) is None


def test_the_counter_wraps_at_128_bits() -> None:
    message = Message(1, 2, 3, 4, bytes(100))
    wrapper = CIPHER.encrypt(message, 1, b"\xff" * 16 + b"mask")
    assert wrapper.payload.startswith(b"\xff" * 16)
    assert CIPHER.decrypt(wrapper.payload) == message


def test_payloads_of_any_length_are_just_not_decrypted() -> None:
    payload = Message.parse(ENCRYPTED).payload
    for size in range(len(payload)):
        assert CIPHER.decrypt(payload[:size]) is None


def test_a_payload_that_was_damaged_behind_the_magic_number_is_not_decrypted() -> None:
    payload = bytearray(Message.parse(ENCRYPTED).payload)
    payload[-1] ^= 1
    assert CIPHER.decrypt(bytes(payload)) is None


def test_the_check_of_a_key_tells_it_from_others() -> None:
    assert CIPHER.key_check == "a9bb56"
    assert Cipher(bytes(16), SET_KEY_PAYLOAD).key_check != CIPHER.key_check

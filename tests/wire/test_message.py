"""Messages: bytes to fields and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.wire.message import MalformedMessageError, Message, Reason
from tests.captures import GOOD, MESSAGES, NOISY

VECTORS = {
    "123456790000ffff2702efbeaddefeffffff0005b320": Message(0x227, 0xDEADBEEF, 0xFFFFFFFE, 0x500),
    "123456791100eeff0c00efbeaddefdffffffd2044920616d206c6f7473206f6620646174612f69": Message(
        0x0C, 0xDEADBEEF, 0xFFFFFFFD, 0x4D2, b"I am lots of data"
    ),
}

messages = st.builds(
    Message,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFF),
    st.binary(max_size=300),
)


@pytest.mark.parametrize("vector", VECTORS)
def test_the_test_vectors_parse_and_format(vector: str) -> None:
    assert Message.parse(bytes.fromhex(vector)) == VECTORS[vector]
    assert VECTORS[vector].to_bytes().hex() == vector


@pytest.mark.parametrize("raw", GOOD, ids=lambda raw: raw[:24].hex())
def test_every_good_message_of_the_captures_survives_the_round_trip(raw: bytes) -> None:
    assert Message.parse(raw).to_bytes() == raw


def test_the_captures_name_the_function() -> None:
    for entry in MESSAGES:
        if entry["crc_ok"]:
            message = Message.parse(bytes.fromhex(entry["hex"]))
            assert message.function == int(entry["function"], 16)


@pytest.mark.parametrize("raw", NOISY, ids=lambda raw: raw[:24].hex())
def test_every_noisy_message_of_the_captures_fails_by_its_checksum(raw: bytes) -> None:
    with pytest.raises(MalformedMessageError) as error:
        Message.parse(raw)
    assert error.value.reason is Reason.CHECKSUM


@given(messages)
def test_parse_is_the_inverse_of_to_bytes(message: Message) -> None:
    raw = message.to_bytes()
    assert Message.parse(raw) == message
    assert len(raw) == message.size


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.NOISE),
        (b"\x12\x34\x56\x78" + GOOD[0][4:], Reason.NOISE),
        (GOOD[0][:21], Reason.INCOMPLETE),
        (GOOD[4][:-1], Reason.INCOMPLETE),
        (GOOD[0][:5] + b"\x01" + GOOD[0][6:], Reason.LENGTH),
        (GOOD[0] + b"\0", Reason.LENGTH),
        (GOOD[0][:-1] + b"\0", Reason.CHECKSUM),
    ],
)
def test_bytes_that_are_no_message_are_refused_with_the_reason(raw: bytes, reason: Reason) -> None:
    with pytest.raises(MalformedMessageError) as error:
        Message.parse(raw)
    assert error.value.reason is reason


def test_the_log_shows_addresses_sequence_function_and_size() -> None:
    message = Message(0x227, 0x7F101234, 0xFFFFFFFE, 0x0500, b"12")
    assert str(message) == "7f101234 -> fffffffe seq 0227 0500 SERVER_POST_DATA, 24 bytes"
    assert "0fff," in str(message._replace(function=0x0FFF))


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Message.parse(GOOD[0]).sequence = 5  # type: ignore[misc]

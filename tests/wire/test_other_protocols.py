"""Who is no inverter shows in how the stream begins."""

import pytest

from se.wire.message import MAGIC
from se.wire.other_protocols import HTTP, MAX_LEADING_NOISE, TLS, UNKNOWN, identify_other_protocol
from tests.captures import GOOD, NOISY


@pytest.mark.parametrize("raw", GOOD + NOISY)
def test_no_real_message_is_of_another_protocol(raw: bytes) -> None:
    for size in range(len(raw) + 1):
        assert identify_other_protocol(raw[:size]) is None


def test_the_beginning_of_other_protocols_is_known() -> None:
    assert identify_other_protocol(b"\x16\x03\x01") == TLS
    assert identify_other_protocol(b"GET ") == HTTP
    assert identify_other_protocol(b"HEAD / HTTP/1.0") == HTTP
    assert identify_other_protocol(b"GETTING") is None


def test_a_message_may_begin_behind_some_stray_bytes() -> None:
    assert identify_other_protocol(b"\xff" * MAX_LEADING_NOISE + MAGIC) is None
    assert identify_other_protocol(b"\xff" * MAX_LEADING_NOISE + MAGIC[:3]) is None
    assert identify_other_protocol(b"\xff" * (MAX_LEADING_NOISE + 4)) == UNKNOWN

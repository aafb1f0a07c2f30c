"""Who is no inverter shows in how the stream begins."""

import pytest

from se.wire.message import MAGIC
from se.wire.strangers import HTTP, OTHER, STRAY, TLS, stranger
from tests.captures import GOOD, NOISY


@pytest.mark.parametrize("raw", GOOD + NOISY)
def test_no_real_message_is_a_strangers(raw: bytes) -> None:
    for size in range(len(raw) + 1):
        assert stranger(raw[:size]) is None


def test_the_beginning_of_other_protocols_is_known() -> None:
    assert stranger(b"\x16\x03\x01") == TLS
    assert stranger(b"GET ") == HTTP
    assert stranger(b"HEAD / HTTP/1.0") == HTTP
    assert stranger(b"GETTING") is None


def test_a_message_may_begin_behind_some_stray_bytes() -> None:
    assert stranger(b"\xff" * STRAY + MAGIC) is None
    assert stranger(b"\xff" * STRAY + MAGIC[:3]) is None
    assert stranger(b"\xff" * (STRAY + 4)) == OTHER

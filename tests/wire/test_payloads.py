"""Payloads by name."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.wire.functions import Function
from se.wire.payloads import PAYLOAD_FORMATS, format_payload, parse_payload


@pytest.mark.parametrize(
    ("function", "payload", "fields"),
    [
        (0x0012, "2903", {"parameter": 0x329}),
        (0x0011, "290300000000", {"parameter": 0x329, "value": 0}),
        (0x0090, "92427416 0000", {"value": 376717970, "type": 0}),
        (0x0030, "f401 00000000", {"delay": 500, "type": 0}),
        (0x00B0, "0300 a409", {"version": "0003.2468"}),
        (0x00B1, "0003", {"type": 0x300}),
        (0x0303, "00e1f505 80f8ffff", {"time": 100000000, "offset": -1920}),
        (0x0580, "00e1f505 100e0000", {"time": 100000000, "offset": 3600}),
        (0x038C, "0100", {"connected": 1}),
        (0x039F, "0100 0200 0300", {"status": [1, 2, 3]}),
        (0x0021, "00010000 02000000 abcd", {"offset": 256, "length": 2, "more": "abcd"}),
        (0x0080, "", {}),
        (0x0012, "29", {"data": "29"}),
        (0x03C2, "0102", {"data": "0102"}),
    ],
)
def test_payloads(function: int, payload: str, fields: dict[str, object]) -> None:
    assert parse_payload(function, bytes.fromhex(payload)) == fields


def test_the_energy_statistics_with_a_value_that_is_not_reported() -> None:
    payload = struct.pack("<fff4sL", 1.5, 2.5, 3.5, b"\xff\xff\x7f\xff", 1446346358) + b"\1"
    assert parse_payload(0x038D, payload) == {
        "Eday": 1.5,
        "Emon": 2.5,
        "Eyear": 3.5,
        "Etot": None,
        "Time1": 1446346358,
        "more": "01",
    }


@given(st.sampled_from([*PAYLOAD_FORMATS, 0x039F, 0x0500, 0xFFFF]), st.binary(max_size=40))
def test_no_payload_raises(function: int, payload: bytes) -> None:
    assert isinstance(parse_payload(function, payload), dict)


def test_format_is_the_inverse_of_parse() -> None:
    payload = format_payload(Function.RESP_SERVER_GMT, 1446346358, -28800)
    fields = parse_payload(Function.RESP_SERVER_GMT, payload)
    assert fields == {"time": 1446346358, "offset": -28800}

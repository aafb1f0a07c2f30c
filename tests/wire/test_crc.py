"""The checksum."""

from hypothesis import given
from hypothesis import strategies as st

from se.wire.crc import crc16


def test_the_check_value_of_crc_16_arc() -> None:
    assert crc16(b"123456789", 0) == 0xBB3D


def test_no_bytes_leave_the_initial_value() -> None:
    assert crc16(b"") == 0x5A5A


@given(st.binary(max_size=200), st.integers(0, 0xFFFF))
def test_it_equals_the_definition_bit_by_bit(data: bytes, initial: int) -> None:
    register = initial
    for byte in data:
        for bit in range(8):
            carry = (register ^ byte >> bit) & 1
            register = register >> 1 ^ (0xA001 if carry else 0)
    assert crc16(data, initial) == register

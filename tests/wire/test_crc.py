"""The checksum."""

from hypothesis import example, given
from hypothesis import strategies as st

from se.wire.crc import crc16


@given(st.binary(max_size=200))
@example(b"")
@example(bytes(65535))
def test_it_equals_the_definition_bit_by_bit(data: bytes) -> None:
    register = 0x5A5A
    for byte in data:
        for bit in range(8):
            carry = (register ^ byte >> bit) & 1
            register = register >> 1 ^ (0xA001 if carry else 0)
    assert crc16(data) == register

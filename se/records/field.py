"""Fields of the record tables: their kinds carry width, scale and what stands for no value.

Kinds are values, so that a table's line says everything: `Field("Imod", bits(12, 160), "A")`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from se.wire.values import ID_BITS


class Kind(NamedTuple):
    """How a field's bits become its published value, and back.

    `code` is the field's in the struct module; bit fields, which share a word, and values that
    are not on the wire (`bits` is 0) have none. In a `nullable` field NOT_REPORTED is no value.
    """

    label: str
    bits: int
    code: str = ""
    nullable: bool = False
    denominator: float | None = None  # where the number counts parts of the published unit
    decode: Callable[[Any], Any] | None = None
    encode: Callable[[Any], Any] | None = None
    value: Any = None  # where nothing is on the wire


class Nature(enum.Enum):
    """What kind of information a field holds: what an output makes of it follows from this."""

    MEASUREMENT = "measurement"  # up and down
    TOTAL = "total"  # only grows
    DAY_TOTAL = "total of the day"  # grows, and falls back to 0 once a day
    INTERVAL_TOTAL = "total of the interval"  # since the record before
    CODE = "code"  # a number that stands for something: a state, a kind of event
    IDENTIFIER = "identifier"  # which device, and which other one it belongs to
    TIME = "time"
    HOUSEKEEPING = "housekeeping"  # lengths, flags, constants, what is not deciphered


class Field(NamedTuple):
    """One line of a table; a hole has no name.

    A `momentary` value is 0 once its inverter wakes up or goes to sleep.
    """

    name: str
    kind: Kind
    unit: str = ""
    meaning: str = ""
    nature: Nature = Nature.MEASUREMENT
    momentary: bool = False


def format_id(number: int) -> str:
    """An ID as it is published: upper-case hex, without the extra bit and without padding."""
    return f"{number & ID_BITS:X}"


def format_hex(raw: bytes) -> str:
    """`00 01 .. 0f | 10 11 ..`: 16 bytes to a group."""
    return " | ".join(raw[start : start + 16].hex(" ") for start in range(0, len(raw), 16))


def parse_hex(text: str) -> bytes:
    """The inverse of `format_hex`."""
    return bytes.fromhex(text.replace("|", ""))


I8 = Kind("i8", 8, "b")
U16 = Kind("u16", 16, "H")
U32 = Kind("u32", 32, "L", nullable=True)
F32 = Kind("f32", 32, "f", nullable=True)
ID = Kind(
    "ID",
    32,
    "L",
    nullable=True,
    decode=lambda raw: format_id(raw) if raw else 0,
    encode=lambda device: int(str(device), 16),
)
REST = Kind("all the rest", 0, "s", decode=format_hex, encode=parse_hex)


def parts(kind: Kind, denominator: float) -> Kind:
    """A number that counts parts of a unit: eighths, where the denominator is 8."""
    return kind._replace(label=f"{kind.label} / {denominator:g}", denominator=denominator)


def bits(width: int, denominator: float) -> Kind:
    """Counts parts in `width` bits, in one word with its neighbours, lowest bits first."""
    return parts(Kind(f"{width} bits", width), denominator)


def text(size: int) -> Kind:
    """Text padded with zeros; what is not ASCII is shown as an escape."""
    return Kind(
        f"text, {size} bytes",
        8 * size,
        f"{size}s",
        decode=lambda raw: raw.rstrip(b"\0").decode("ascii", "backslashreplace"),
        encode=lambda value: value.encode("ascii"),
    )


def hex_bytes(size: int) -> Kind:
    """Bytes shown in hex: `00 80`."""
    return Kind(f"hex, {size} bytes", 8 * size, f"{size}s", decode=format_hex, encode=parse_hex)


def computed(value: Any = None) -> Kind:
    """Not on the wire: a constant, or what the table's hook makes of the other fields."""
    return Kind("computed", 0, value=value)


def hole(size: int, meaning: str = "") -> Field:
    """Bytes that are not published."""
    return Field("", Kind(f"{size} bytes", 8 * size, f"{size}x"), "", meaning)


TIME = Field(
    "dateTime", U32, "s", "UTC seconds since 1970, from which Date and Time come", Nature.TIME
)

# what is published before the fields of a record
_MOMENT = tuple(Field(name, computed(), nature=Nature.TIME) for name in ("Date", "Time"))
PLAIN_HEADER = (*_MOMENT, Field("ID", computed(), nature=Nature.IDENTIFIER))
TYPED_HEADER = (
    *_MOMENT,
    Field("seType", computed(), nature=Nature.IDENTIFIER),
    Field("seId", computed(), nature=Nature.IDENTIFIER),
    Field("devLen", computed(), nature=Nature.HOUSEKEEPING),
    Field("devType", computed(), nature=Nature.IDENTIFIER),
)

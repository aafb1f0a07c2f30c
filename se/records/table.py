"""A record type as a table: one list of fields that decodes, encodes and documents.

A table is compiled for each length of record that it meets (there are few): a record shorter than
its table gives the fields that it has, a longer one is read as far as it is known. Decoding takes
one pass: one struct, one dictionary, then the fields whose raw value is not the published one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from se.records.field import PLAIN_HEADER, REST, TIME, TYPED_HEADER, Field
from se.wire.values import NOT_REPORTED, NOT_REPORTED_VALUES

Record = dict[str, Any]

_WORDS = {8: "B", 16: "H", 32: "L", 64: "Q"}
_LAYOUTS_KEPT = 64  # a stream of nonsense may bring records of any length


class Zone(Protocol):
    """The local clock, of which the tables cannot know; None where it has no such moment."""

    def date_and_time(self, utc: int) -> tuple[str, str] | tuple[None, None]:
        """`2015-10-31` and `19:52:38`, the local time at `utc` (seconds)."""

    def local_text(self, utc: int) -> str | None:
        """`Sat Oct 31 19:52:38 2015`, the local time at `utc` (seconds)."""

    def clock_text(self, seconds: int) -> str | None:
        """The same form for what a clock of its own showed: not shifted."""


class _Layout(NamedTuple):
    """A table compiled for one length of record."""

    unpack: Callable[[bytes], tuple[Any, ...]]
    names: list[str]  # of the unpacked values; that of a word is its first field's
    nullable: list[int]  # indices of the unpacked values
    scaled: list[tuple[str, str, int, int, float]]  # name, value's name, shift, mask, denominator
    conversions: list[tuple[str, Callable[[Any], Any]]]
    template: Record


class Table:
    """One record type.

    `group` is the device type it is published under. `finish(record, zone)` fills in what needs
    code; `label(record)` names the parts of a device that are published one by one. A `typed`
    record tells its type, length and group, and its ID as `seId`. `in_state`: the last record of
    each device is worth knowing.
    """

    def __init__(
        self,
        number: int,
        group: str,
        title: str,
        fields: Sequence[Field],
        *,
        finish: Callable[[Record, Zone], None] | None = None,
        label: Callable[[Record], str] | None = None,
        typed: bool = False,
        in_state: bool = True,
    ):
        self.number = number
        self.group = group
        self.title = title
        self.fields = tuple(fields)
        self.label = label
        self.depth = 2 if label else 1
        self.in_state = in_state
        self.header = TYPED_HEADER if typed else PLAIN_HEADER
        self.id_key = "seId" if typed else "ID"
        self.size = sum(field.kind.bits for field in fields) // 8
        self._finish = finish
        self._layouts: dict[int, _Layout] = {}

    @property
    def published(self) -> tuple[Field, ...]:
        """What a whole record tells, in order: the header, the fields, and the time at last."""
        named = (field for field in self.fields if field.name and field is not TIME)
        return (*self.header, *named, TIME)

    @property
    def keys(self) -> tuple[str, ...]:
        """The published names, in order."""
        return tuple(field.name for field in self.published)

    def decode(self, device: str, raw: bytes, zone: Zone) -> Record:
        """The published record of `device` from the bytes behind its header."""
        unpack, names, nullable, scaled, conversions, template = self._layouts.get(
            len(raw)
        ) or self._layout(len(raw))
        values: Sequence[Any] = unpack(raw)
        if NOT_REPORTED in raw:
            values = list(values)
            for index in nullable:
                if values[index] in NOT_REPORTED_VALUES:
                    values[index] = None
        record = template.copy()
        record[self.id_key] = device
        record.update(zip(names, values))  # noqa: B905 (saying "strict" doubles its time)
        for name, source, shift, mask, denominator in scaled:
            record[name] = (record[source] >> shift & mask) / denominator
        for name, convert in conversions:
            value = record[name]
            if value is not None:
                record[name] = convert(value)
        time = record["dateTime"]
        if time is not None:
            record["Date"], record["Time"] = zone.date_and_time(time)
        if self._finish:
            self._finish(record, zone)
        return record

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """The bytes behind the header, from published values; one that is missing: not reported.

        Where a hook prints texts, the numbers are taken.
        """
        return b"".join(_encode(group, values) for group in _groups(self.fields))

    def _layout(self, size: int) -> _Layout:
        """The layout for records of `size` bytes, compiled and kept."""
        if len(self._layouts) >= _LAYOUTS_KEPT:
            self._layouts.clear()
        layout = self._layouts[size] = self._compile(size)
        return layout

    def _compile(self, size: int) -> _Layout:
        code = "<"
        layout = _Layout(struct.Struct("").unpack_from, [], [], [], [], self._template(size))
        cut = False
        for group in _groups(self.fields):
            first = group[0]
            room = size - struct.calcsize(code)
            cut = cut or sum(field.kind.bits for field in group) > 8 * room
            if cut and first.kind is not REST:
                continue
            layout.template.update((field.name, field.kind.value) for field in group if field.name)
            code += f"{room}s" if first.kind is REST else _code(group)
            if first.name and _code(group):
                if first.kind.nullable:
                    layout.nullable.append(len(layout.names))
                layout.names.append(first.name)
                layout.scaled.extend(_scaled(group))
                if first.kind.decode:
                    layout.conversions.append((first.name, first.kind.decode))
        layout.template["dateTime"] = layout.template.pop("dateTime", None)
        return layout._replace(unpack=struct.Struct(code).unpack_from)

    def _template(self, size: int) -> Record:
        """What stands before the fields: when, which device, and what it is."""
        known = {"seType": f"0x{self.number:04x}", "devLen": size, "devType": self.group}
        return {field.name: known.get(field.name) for field in self.header}


def _groups(fields: Sequence[Field]) -> list[list[Field]]:
    """The fields one by one, but bit fields together with those that share their word."""
    groups: list[list[Field]] = []
    for field in fields:
        last = groups[-1] if groups else []
        if last and not last[0].kind.code and sum(each.kind.bits for each in last) % 8:
            last.append(field)
        else:
            groups.append([field])
    return groups


def _code(group: Sequence[Field]) -> str:
    """The struct's code for a field or a word of bit fields; empty if nothing is on the wire."""
    width = sum(field.kind.bits for field in group)
    return group[0].kind.code or (_WORDS[width] if width else "")


def _scaled(group: Sequence[Field]) -> list[tuple[str, str, int, int, float]]:
    """How numbers come out of their word; the first, whose name held the word, comes last."""
    source = group[0].name
    scaled = []
    shift = 0
    for field in group:
        if field.kind.denominator is not None:
            # a field of its own has no neighbours to mask, and may be signed
            mask = -1 if field.kind.code else (1 << field.kind.bits) - 1
            scaled.append((field.name, source, shift, mask, field.kind.denominator))
        shift += field.kind.bits
    return scaled[::-1]


def _encode(group: Sequence[Field], values: Mapping[str, Any]) -> bytes:
    first = group[0]
    if not first.name or not _code(group):
        return bytes(first.kind.bits // 8)
    if not first.kind.code:
        word = shift = 0
        for field in group:
            word |= _raw_value(field, values) << shift
            shift += field.kind.bits
        return struct.pack("<" + _code(group), word)
    if first.kind.nullable and values.get(first.name) is None:
        return NOT_REPORTED
    raw = _raw_value(first, values)
    return struct.pack("<" + (f"{len(raw)}s" if first.kind is REST else _code(group)), raw)


def _raw_value(field: Field, values: Mapping[str, Any]) -> Any:
    """What goes on the wire for a published value; zeros where there is none."""
    value = values.get(field.name)
    if value is None:
        return b"" if field.kind.code.endswith("s") else 0
    if field.kind.denominator is not None:
        return round(value * field.kind.denominator)
    return field.kind.encode(value) if field.kind.encode else value

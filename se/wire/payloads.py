"""The payloads of the functions that matter, by name: for answers of commands and for the log.

A payload that is shorter than it should be is shown in hex, like one of an unknown function, and
so is what stands behind the known fields. Telemetry has its own tables, in `se.records`.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from se.wire.functions import Function
from se.wire.values import NOT_REPORTED_VALUES


class Layout(NamedTuple):
    """The fields at the beginning of a payload: their struct and their names."""

    code: str
    names: tuple[str, ...]


_TIME = Layout("<Ll", ("time", "offset"))  # UTC seconds, seconds of the zone's offset

LAYOUTS: dict[int, Layout] = {
    Function.PARAMS_GET_SINGLE: Layout("<H", ("parameter",)),
    Function.PARAMS_SET_SINGLE: Layout("<HL", ("parameter", "value")),
    Function.RESP_PARAMS_SINGLE: Layout("<LH", ("value", "type")),
    Function.MISC_RESET: Layout("<HL", ("delay", "type")),
    Function.RESP_MISC_GET_VER: Layout("<HH", ("major", "minor")),
    Function.RESP_MISC_GET_TYPE: Layout("<H", ("type",)),
    Function.UPGRADE_WRITE: Layout("<LL", ("offset", "length")),
    Function.POLESTAR_RTC_SET: _TIME,
    Function.RESP_SERVER_GMT: _TIME,
    Function.RESP_POLESTAR_GET_S_OK_STATUS: Layout("<H", ("connected",)),
    Function.RESP_POLESTAR_GET_ENERGY_STATISTICS_STATUS: Layout(
        "<ffffL", ("Eday", "Emon", "Eyear", "Etot", "Time1")
    ),
}


def parse_payload(function: int, payload: bytes) -> dict[str, Any]:
    """The fields of a payload; never raises on bytes."""
    if function == Function.RESP_POLESTAR_GET_STATUS:
        words = struct.unpack_from(f"<{len(payload) // 2}H", payload)
        return {"status": list(words)}
    layout = LAYOUTS.get(function)
    if layout is None or len(payload) < struct.calcsize(layout.code):
        return {"data": payload.hex()} if payload else {}
    values = struct.unpack_from(layout.code, payload)
    fields: dict[str, Any] = {
        name: None if value in NOT_REPORTED_VALUES else value
        for name, value in zip(layout.names, values, strict=True)
    }
    if function == Function.RESP_MISC_GET_VER:
        fields = {"version": f"{values[0]:04d}.{values[1]:04d}"}
    more = payload[struct.calcsize(layout.code) :]
    return fields | {"more": more.hex()} if more else fields


def format_payload(function: int, *values: float) -> bytes:
    """The payload of a function with a layout, from its values in order."""
    return struct.pack(LAYOUTS[function].code, *values)

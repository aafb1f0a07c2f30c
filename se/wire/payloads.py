"""The payloads of the functions that matter, by name: for answers of commands and for the log.

A payload that is shorter than it should be is shown in hex, like one of an unknown function, and
so is what stands behind the known fields. Telemetry has its own tables, in `se.records`.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from se.wire.functions import Function
from se.wire.values import NOT_REPORTED_VALUES


class PayloadFormat(NamedTuple):
    """The fields at the beginning of a payload: their struct and their names."""

    code: str
    names: tuple[str, ...]


_TIME = PayloadFormat("<Ll", ("time", "offset"))  # UTC seconds, seconds of the zone's offset

PAYLOAD_FORMATS: dict[int, PayloadFormat] = {
    Function.PARAMS_GET_SINGLE: PayloadFormat("<H", ("parameter",)),
    Function.PARAMS_SET_SINGLE: PayloadFormat("<HL", ("parameter", "value")),
    Function.RESP_PARAMS_SINGLE: PayloadFormat("<LH", ("value", "type")),
    Function.MISC_RESET: PayloadFormat("<HL", ("delay", "type")),
    Function.RESP_MISC_GET_VER: PayloadFormat("<HH", ("major", "minor")),
    Function.RESP_MISC_GET_TYPE: PayloadFormat("<H", ("type",)),
    Function.UPGRADE_WRITE: PayloadFormat("<LL", ("offset", "length")),
    Function.POLESTAR_RTC_SET: _TIME,
    Function.RESP_SERVER_GMT: _TIME,
    Function.RESP_POLESTAR_GET_S_OK_STATUS: PayloadFormat("<H", ("connected",)),
    Function.RESP_POLESTAR_GET_ENERGY_STATISTICS_STATUS: PayloadFormat(
        "<ffffL", ("Eday", "Emon", "Eyear", "Etot", "Time1")
    ),
}


def parse_payload(function: int, payload: bytes) -> dict[str, Any]:
    """The fields of a payload; never raises on bytes."""
    if function == Function.RESP_POLESTAR_GET_STATUS:
        words = struct.unpack_from(f"<{len(payload) // 2}H", payload)
        return {"status": list(words)}
    known = PAYLOAD_FORMATS.get(function)
    if known is None or len(payload) < struct.calcsize(known.code):
        return {"data": payload.hex()} if payload else {}
    values = struct.unpack_from(known.code, payload)
    fields: dict[str, Any] = {
        name: None if value in NOT_REPORTED_VALUES else value
        for name, value in zip(known.names, values, strict=True)
    }
    if function == Function.RESP_MISC_GET_VER:
        fields = {"version": f"{values[0]:04d}.{values[1]:04d}"}
    more = payload[struct.calcsize(known.code) :]
    return fields | {"more": more.hex()} if more else fields


def format_payload(function: int, *values: float) -> bytes:
    """The payload of a function whose format is known, from its values in order."""
    return struct.pack(PAYLOAD_FORMATS[function].code, *values)

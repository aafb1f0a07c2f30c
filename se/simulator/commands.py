"""What an inverter answers to commands, out of a table of parameters."""

from __future__ import annotations

import struct
from collections.abc import Callable

from se.wire.functions import Function
from se.wire.keyring import KEY_FORMAT, KEY_PARAMETERS
from se.wire.payloads import PAYLOAD_FORMATS, format_payload

PARAMETERS = {0x0129: 50, 0x0310: 2, 0x0329: 376715698}  # plausible ones, for reading and setting
VERSION = (3, 2221)
POLESTAR = 0x0300
CONNECTED = 1
STATUS = struct.pack("<4H", 4, 0, 1, 0)

Answer = tuple[int, bytes]
ACK: Answer = (Function.RESP_ACK, b"")
NACK: Answer = (Function.RESP_NACK, b"")


class CommandResponder:
    """Answers commands out of the parameters and counters of one inverter.

    `parameters` are u32 by number; its key (16 bytes) is among them. `energies` tells the Wh of
    the day, the month, the year and of all times, and the UTC seconds of that.
    """

    def __init__(self, key: bytes, energies: Callable[[], tuple[float, float, float, float, int]]):
        self.parameters = PARAMETERS | dict(
            zip(KEY_PARAMETERS, KEY_FORMAT.unpack(key), strict=True)
        )
        self._answers: dict[int, Callable[..., Answer]] = {
            Function.PARAMS_GET_SINGLE: self._get,
            Function.PARAMS_SET_SINGLE: self._set,
            Function.MISC_RESET: lambda delay, kind: ACK,
            Function.POLESTAR_RTC_SET: lambda time, offset: ACK,
            Function.MISC_GET_VER: lambda: _response(Function.RESP_MISC_GET_VER, *VERSION),
            Function.MISC_GET_TYPE: lambda: _response(Function.RESP_MISC_GET_TYPE, POLESTAR),
            Function.POLESTAR_GET_S_OK_STATUS: lambda: _response(
                Function.RESP_POLESTAR_GET_S_OK_STATUS, CONNECTED
            ),
            Function.POLESTAR_GET_ENERGY_STATISTICS_STATUS: lambda: _response(
                Function.RESP_POLESTAR_GET_ENERGY_STATISTICS_STATUS, *energies()
            ),
            Function.POLESTAR_GET_STATUS: lambda: (Function.RESP_POLESTAR_GET_STATUS, STATUS),
        }

    def answer(self, function: int, payload: bytes) -> Answer:
        """The answer to a command: NACK to what is not known or cannot be."""
        code = PAYLOAD_FORMATS[function].code if function in PAYLOAD_FORMATS else ""
        if function not in self._answers or len(payload) != struct.calcsize(code):
            return NACK
        return self._answers[function](*struct.unpack(code, payload))

    def _get(self, number: int) -> Answer:
        if number not in self.parameters:
            return NACK
        return _response(Function.RESP_PARAMS_SINGLE, self.parameters[number], 0)

    def _set(self, number: int, value: int) -> Answer:
        if number not in self.parameters:
            return NACK
        self.parameters[number] = value
        return ACK


def _response(response: int, *values: float) -> Answer:
    return response, format_payload(response, *values)

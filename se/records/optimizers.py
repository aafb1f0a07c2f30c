"""Optimizers, one at each panel or pair of panels: 0x0000, 0x0080 and 0x0082 by generation."""

from __future__ import annotations

from se.records.field import F32, I8, ID, TIME, U16, U32, Field, Nature, bits, computed, hole, parts
from se.records.table import Table

_UPTIME = "since the optimizer woke up"
_VMOD = "at the panel"
_VOPT = "at the optimizer's output"
_IMOD = "from the panel"
_EDAY = "energy of the day"

_COMPACT = [
    Field("Uptime", U16, "s", _UPTIME),
    Field("Vmod", bits(10, 8), "V", _VMOD, momentary=True),
    Field("Vopt", bits(10, 8), "V", _VOPT, momentary=True),
    Field("Imod", bits(12, 160), "A", _IMOD, momentary=True),
    Field("Eday", parts(U16, 4), "Wh", _EDAY, Nature.DAY_TOTAL),
    Field("Temp", parts(I8, 0.5), "C"),
]

OPTIMIZER = Table(
    0x0000,
    "optimizers",
    "optimizer",
    [
        TIME,
        Field("Inverter", ID, "", "the inverter it belongs to", Nature.IDENTIFIER),
        hole(4, "the ID of the device that the record was sent to"),
        Field("Uptime", U32, "s", _UPTIME),
        Field("Vmod", F32, "V", _VMOD, momentary=True),
        Field("Vopt", F32, "V", _VOPT, momentary=True),
        Field("Imod", F32, "A", _IMOD, momentary=True),
        Field("Eday", F32, "Wh", _EDAY, Nature.DAY_TOTAL),
        Field("Temp", F32, "C"),
    ],
)

COMPACT_OPTIMIZER = Table(
    0x0080,
    "optimizers",
    "optimizer, compact",
    [TIME, Field("Inverter", computed(0), "", "0: not named", Nature.IDENTIFIER), *_COMPACT],
)

S_SERIES_OPTIMIZER = Table(
    0x0082,
    "optimizers",
    "optimizer, S-series",
    [
        TIME,
        *_COMPACT,
        hole(2, "not deciphered"),
        hole(2, "0"),
        Field("Inverter", ID, "", "the inverter it belongs to", Nature.IDENTIFIER),
    ],
)

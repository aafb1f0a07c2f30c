"""Meters, 0x0022: one record for each role that a meter plays."""

from __future__ import annotations

from se.records.field import F32, I8, TIME, U16, U32, Field, Nature, hex_bytes
from se.records.table import Record, Table

_LABELS = {
    3: "3_Consumption",
    5: "5_GridImportExport",
    7: "7_Battery",
    8: "8_MostlyZeroes",
    9: "9_PVProduction",
}
_FLAGS = "00 80: the total is not valid"


def _role(record: Record) -> str:
    """The meter's role; others than the known ones occur (2 and 6 were seen)."""
    role = record.get("recType", "")
    return _LABELS.get(role, f"{role}_UnrecognisedRecType")


METER = Table(
    0x0022,
    "meters_0x0022",
    "meter",
    [
        TIME,
        Field("recType", I8, "", "the role: " + ", ".join(_LABELS.values()), Nature.IDENTIFIER),
        Field("onlyIntervalData", I8, nature=Nature.HOUSEKEEPING),
        Field("TotalE2Grid", U32, "Wh", nature=Nature.TOTAL),
        Field("AlwaysZero_off10_int2", U16, nature=Nature.HOUSEKEEPING),
        Field("Flag_off12_hex", hex_bytes(2), "", _FLAGS, Nature.HOUSEKEEPING),
        Field("TotalEfromGrid", U32, "Wh", nature=Nature.TOTAL),
        Field("AlwaysZero_off18_int2", U16, nature=Nature.HOUSEKEEPING),
        Field("Flag_off20_hex", hex_bytes(2), "", _FLAGS, Nature.HOUSEKEEPING),
        Field("Totaloff22_int4", U32, "Wh"),  # of what is not known, so it may fall
        Field("AlwaysZero_off26_int2", U16, nature=Nature.HOUSEKEEPING),
        Field("Flag_off28_hex", hex_bytes(2), "", _FLAGS, Nature.HOUSEKEEPING),
        Field("Totaloff30_int4", U32, "Wh"),  # the same
        Field("AlwaysZero_off34_int2", U16, nature=Nature.HOUSEKEEPING),
        Field("Flag_off36_hex", hex_bytes(2), "", _FLAGS, Nature.HOUSEKEEPING),
        Field("Interval", U32, "s"),
        Field("E2X", U32, "Wh", "energy out in the interval", Nature.INTERVAL_TOTAL),
        Field("EfromX", U32, "Wh", "energy in in the interval", Nature.INTERVAL_TOTAL),
        Field("P2X", F32, "W", "power out"),
        Field("PfromX", F32, "W", "power in"),
    ],
    label=_role,
    typed=True,
)

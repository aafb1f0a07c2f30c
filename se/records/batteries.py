"""Batteries, 0x0030: the ID of the record is the inverter's, the battery names itself."""

from __future__ import annotations

from se.records.field import F32, TIME, U16, U32, Field, Nature, hex_bytes, text
from se.records.table import Record, Table


def _name(record: Record) -> str:
    return record.get("batteryId") or "unnamed"


BATTERY = Table(
    0x0030,
    "batteries_0x0030",
    "battery",
    [
        TIME,
        Field("batteryId", text(12), nature=Nature.IDENTIFIER),
        Field("Vdc", F32, "V"),
        Field("Idc", F32, "A"),
        Field("BattCapacityNom", F32, "Wh", "nominal capacity"),
        Field("BattCapacityActual", F32, "Wh", "capacity by now"),
        Field("BattCharge", F32, "Wh"),
        Field("TotalEnergyIn", U32, "Wh", nature=Nature.TOTAL),
        Field("AlwaysZero_40_float", F32, nature=Nature.HOUSEKEEPING),
        Field("TotalEnergyOut", U32, "Wh", nature=Nature.TOTAL),
        Field("AlwaysZero_48_float", F32, nature=Nature.HOUSEKEEPING),
        Field("HexConst_52", hex_bytes(4), nature=Nature.HOUSEKEEPING),
        Field("HexConst_56", hex_bytes(4), nature=Nature.HOUSEKEEPING),
        Field("Temp", F32, "C"),
        Field("BattChargingStatus", U16, "", "3 charging, 4 discharging, 6 holding", Nature.CODE),
        Field("AlwaysZero_66_float", F32, nature=Nature.HOUSEKEEPING),
        Field("AlwaysZero_70_float", F32, nature=Nature.HOUSEKEEPING),
        Field("Interval", U32, "s"),
        Field("EIn", U32, "Wh", "energy in in the interval", Nature.INTERVAL_TOTAL),
        Field("EOut", U32, "Wh", "energy out in the interval", Nature.INTERVAL_TOTAL),
    ],
    label=_name,
    typed=True,
)

"""Inverters: 0x0010 with one phase, 0x0011 with three.

The one-phase powers, and everything behind offset 120 of the three-phase record, were deciphered
from posted records, where S^2 = P^2 + Q^2 holds in each phase.
"""

from __future__ import annotations

from se.records.field import F32, TIME, U32, Field, Nature, computed, hole
from se.records.table import Record, Table, Zone

MODE = "1 off, 2 sleeping, 3 starting, 4 MPPT, 5 throttled, 6 shutting down, 8 standby"


def _resistance(record: Record, zone: Zone) -> None:
    """Pmax was published before it was understood; its true name stands beside it."""
    if "Pmax" in record:
        record["GndFrR"] = record["Pmax"]


def _total_power(record: Record, zone: Zone) -> None:
    """Pac, the sum of the phases, where all three report."""
    if "Pac" in record:
        powers = [record["Pac1"], record["Pac2"], record["Pac3"]]
        record["Pac"] = None if None in powers else sum(powers)


ONE_PHASE = Table(
    0x0010,
    "inverters",
    "one-phase inverter",
    [
        TIME,
        Field("Uptime", U32, "s", "since the inverter woke up"),
        Field("Interval", U32, "s", "since the record before"),
        Field("Temp", F32, "C"),
        Field("Eday", F32, "Wh", "energy of the day", Nature.DAY_TOTAL),
        Field("Eac", F32, "Wh", "energy of the interval", Nature.INTERVAL_TOTAL, momentary=True),
        Field("Vac", F32, "V"),
        Field("Iac", F32, "A", momentary=True),
        Field("Freq", F32, "Hz"),
        hole(8),
        Field("Vdc", F32, "V"),
        hole(4),
        Field("Etot", F32, "Wh", "energy since the inverter was installed", Nature.TOTAL),
        Field("Irdc", F32, "A", "residual current"),
        hole(4),
        Field("CosPhi", F32, "", "power factor"),
        Field("mode", U32, "", MODE, Nature.CODE),
        Field("Pmax", F32, "kohm", "old name of GndFrR"),
        Field("GndFrR", computed(), "kohm", "ground-fault resistance"),
        Field("PowerLimit", F32, "%"),
        Field("IoutDC", F32, "A", "DC part of the output current"),
        hole(8),
        Field("Pac", F32, "W", "active power", momentary=True),
        Field("Sac", F32, "VA", "apparent power"),
        Field("Qac", F32, "var", "reactive power"),
        hole(12, "no longer in records of 104 bytes"),
        hole(4, "Etot as an integer"),
        hole(4),
        hole(72, "only in records of 196 bytes"),
    ],
    finish=_resistance,
)

THREE_PHASE = Table(
    0x0011,
    "inverters",
    "three-phase inverter",
    [
        TIME,
        Field("Uptime", U32, "s", "since the inverter woke up"),
        Field("Interval", U32, "s", "since the record before"),
        Field("Temp", F32, "C"),
        Field("Eday", F32, "Wh", "energy of the day", Nature.DAY_TOTAL),
        Field("Eac", F32, "Wh", "energy of the interval", Nature.INTERVAL_TOTAL, momentary=True),
        Field("Vac1", F32, "V"),
        Field("Vac2", F32, "V"),
        Field("Vac3", F32, "V"),
        Field("Iac1", F32, "A", momentary=True),
        Field("Iac2", F32, "A", momentary=True),
        Field("Iac3", F32, "A", momentary=True),
        Field("Freq1", F32, "Hz"),
        Field("Freq2", F32, "Hz"),
        Field("Freq3", F32, "Hz"),
        Field("EdayDC", F32, "Wh", "DC energy of the day", Nature.DAY_TOTAL),
        Field("Edc", F32, "Wh", "DC energy of the interval", Nature.INTERVAL_TOTAL),
        Field("Vdc", F32, "V"),
        Field("Idc", F32, "A"),
        Field("Etot", F32, "Wh", "energy since the inverter was installed", Nature.TOTAL),
        Field("Irdc", F32, "A", "residual current"),
        Field("data21", F32, "", "not deciphered"),
        Field("data22", F32, "", "not deciphered"),
        Field("data23", F32, "", "not deciphered"),
        Field("CosPhi1", F32, "", "power factor"),
        Field("CosPhi2", F32, "", "power factor"),
        Field("CosPhi3", F32, "", "power factor"),
        Field("mode", U32, "", MODE, Nature.CODE),
        Field("GndFrR", F32, "kohm", "ground-fault resistance"),
        Field("data29", F32, "%", "power limit"),
        Field("IoutDC", F32, "A", "DC part of the output current, phase 1"),
        Field("IoutDC2", F32, "A", "DC part of the output current, phase 2"),
        Field("IoutDC3", F32, "A", "DC part of the output current, phase 3"),
        Field("Vac12", F32, "V", "line voltage between phases 1 and 2"),
        Field("Vac23", F32, "V", "line voltage between phases 2 and 3"),
        Field("Vac31", F32, "V", "line voltage between phases 3 and 1"),
        Field("Pac1", F32, "W", "active power", momentary=True),
        Field("Pac2", F32, "W", "active power", momentary=True),
        Field("Pac3", F32, "W", "active power", momentary=True),
        Field("Pac", computed(), "W", "Pac1 + Pac2 + Pac3", momentary=True),
        Field("Sac1", F32, "VA", "apparent power"),
        Field("Sac2", F32, "VA", "apparent power"),
        Field("Sac3", F32, "VA", "apparent power"),
        Field("Qac1", F32, "var", "reactive power"),
        Field("Qac2", F32, "var", "reactive power"),
        Field("Qac3", F32, "var", "reactive power"),
        Field("PowerLimit1", F32, "%"),
        Field("PowerLimit2", F32, "%"),
        Field("PowerLimit3", F32, "%"),
        hole(4, "Etot as an integer"),
        hole(62),
    ],
    finish=_total_power,
)

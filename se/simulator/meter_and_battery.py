"""The meter and the battery of a household behind the site.

In every interval: production + discharge + import = consumption + charge + export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from se.records.batteries import BATTERY
from se.records.meters import METER
from se.simulator.irradiance import DAY_S, ZONE_OFFSET_S
from se.simulator.seeded_random import value_noise

DeviceRecord = tuple[int, int, dict[str, Any]]  # type, ID, published values
Energy = Callable[[float, float], float]  # Wh between two moments

NOMINAL_WH = 9800.0
CAPACITY_WH = 9500.0  # what is left of it by now
MAX_BATTERY_W = 5000.0
CHARGING, DISCHARGING, HOLDING = 3, 4, 6
VALID, NOT_VALID = "00 00", "00 80"
CONSUMPTION, GRID, STORAGE, PRODUCTION = 3, 5, 7, 9  # roles of the meter


class _EnergyCounter:
    """A counter of energy, which shows whole Wh."""

    def __init__(self, total: float):
        self.total = total
        self.last = 0  # of the last interval

    def add(self, energy: float) -> None:
        """Count the energy (Wh) of the next interval."""
        before = int(self.total)
        self.total += energy
        self.last = int(self.total) - before


class MeterAndBattery:
    """Meter and battery of one site, reported by the inverter `reporter`."""

    def __init__(self, seed: int, reporter: int, production: Energy, *, meter: bool, battery: bool):
        self._seed = seed
        self._reporter = reporter
        self._production = production
        self._meter = meter
        self._battery = battery
        self._charge = 0.4 * CAPACITY_WH if battery else 0.0
        self._charged, self._discharged = _EnergyCounter(1250000), _EnergyCounter(1180000)
        self._exported, self._imported = _EnergyCounter(4120000), _EnergyCounter(2390000)
        self._produced, self._used = _EnergyCounter(9870000), _EnergyCounter(8140000)

    def records(self, utc: int, interval: int) -> Iterator[DeviceRecord]:
        """What meter and battery report about the `interval` seconds up to `utc`."""
        battery_w = self._step(utc, interval)
        if self._meter:
            for role, out, back in (
                (PRODUCTION, self._produced, None),
                (GRID, self._exported, self._imported),
                (CONSUMPTION, None, self._used),
                (STORAGE, self._discharged, self._charged),
            ):
                if role != STORAGE or self._battery:
                    values = _meter(utc, interval, role, out, back)
                    yield METER.number, self._reporter, values
        if self._battery:
            yield BATTERY.number, self._reporter, self._battery_values(utc, interval, battery_w)

    def _step(self, utc: int, interval: int) -> float:
        """Let the energies of an interval flow; returns the battery's power, charging positive."""
        produced = self._production(utc - interval, utc)
        used = self._consumption(utc) * interval / 3600
        surplus = produced - used
        flow = 0.0
        if self._battery:
            most = MAX_BATTERY_W * interval / 3600
            flow = max(-most, min(most, surplus))
            flow = max(-self._charge, min(CAPACITY_WH - self._charge, flow))
        self._charge += flow
        self._produced.add(produced)
        self._used.add(used)
        self._charged.add(max(0.0, flow))
        self._discharged.add(max(0.0, -flow))
        self._exported.add(max(0.0, surplus - flow))
        self._imported.add(max(0.0, flow - surplus))
        return flow * 3600 / interval

    def _consumption(self, utc: int) -> float:
        """What the household uses (W): more in the evening."""
        hour = (utc + ZONE_OFFSET_S) % DAY_S / 3600
        evening = max(0.0, 1 - abs(hour - 19.5) / 3)
        return 180 + 900 * value_noise(utc, 2700, self._seed, "house") ** 3 + 1100 * evening

    def _battery_values(self, utc: int, interval: int, power: float) -> dict[str, Any]:
        full = self._charge / CAPACITY_WH
        volts = 380 + 30 * full
        status = CHARGING if power > 0 else DISCHARGING if power < 0 else HOLDING
        return {
            "dateTime": utc,
            "batteryId": f"BAT-{self._reporter:08X}",
            "Vdc": volts,
            "Idc": power / volts,
            "BattCapacityNom": NOMINAL_WH,
            "BattCapacityActual": CAPACITY_WH,
            "BattCharge": self._charge,
            "TotalEnergyIn": int(self._charged.total),
            "AlwaysZero_40_float": 0.0,
            "TotalEnergyOut": int(self._discharged.total),
            "AlwaysZero_48_float": 0.0,
            "Temp": 18 + 8 * value_noise(utc, DAY_S, self._seed, "cellar"),
            "BattChargingStatus": status,
            "AlwaysZero_66_float": 0.0,
            "AlwaysZero_70_float": 0.0,
            "Interval": interval,
            "EIn": self._charged.last,
            "EOut": self._discharged.last,
        }


def _meter(
    utc: int,
    interval: int,
    role: int,
    out: _EnergyCounter | None,
    back: _EnergyCounter | None,
) -> dict[str, Any]:
    """What one of the meter's roles reports; energy flows `out` and, in some roles, `back`."""
    totals_valid = role == GRID
    flag = VALID if totals_valid else NOT_VALID
    values: dict[str, Any] = {
        "dateTime": utc,
        "recType": role,
        "onlyIntervalData": int(not totals_valid),
        "TotalE2Grid": int(out.total) if out and totals_valid else 0,
        "Flag_off12_hex": flag,
        "TotalEfromGrid": int(back.total) if back and totals_valid else 0,
        "Flag_off20_hex": flag,
        "Totaloff22_int4": 0,
        "Flag_off28_hex": NOT_VALID,
        "Totaloff30_int4": 0,
        "Flag_off36_hex": NOT_VALID,
        "Interval": interval,
        "E2X": out.last if out else 0,
        "EfromX": back.last if back else 0,
    }
    powers = {"P2X": out, "PfromX": back}
    return values | {name: each.last * 3600 / interval for name, each in powers.items() if each}

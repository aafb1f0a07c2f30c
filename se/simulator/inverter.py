"""One inverter with its optimizers: power, energies, and the records that tell of them.

Power is a function of time alone; energies are its integral, one trapezoid an interval, so that
counters, powers and the site's meter agree with each other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from se.records.events import EVENT
from se.records.inverters import ONE_PHASE, THREE_PHASE
from se.records.optimizers import S_SERIES_OPTIMIZER
from se.simulator.irradiance import ZONE_OFFSET_S, Irradiance
from se.simulator.meter_and_battery import DeviceRecord
from se.simulator.seeded_random import uniform, value_noise
from se.wire.values import EXTRA_ID_BIT

PANEL_W = 330.0
LONE_W = 3000.0  # of an inverter without optimizers
EFFICIENCY = 0.975
STARTING, MPPT, SHUTTING_DOWN = 3, 4, 6
STARTING_S = 300
OPEN_V, SAFE_V = 38.0, 1.0  # a panel without load; an optimizer that is switched off
MAX_OPTIMIZER_V = 60.0


class Optimizer(NamedTuple):
    """One optimizer: its record type, its part of the power, how early it reports (0..1)."""

    id: int
    kind: int
    share: float
    early: float


class Inverter:
    """One inverter; `step` lets time pass, the other methods tell what is at that time."""

    def __init__(
        self,
        seed: int,
        irradiance: Irradiance,
        inverter: int,
        phases: int,
        optimizers: Sequence[tuple[int, int]],
    ):
        """`optimizers` are their record types and IDs."""
        self.id = inverter
        self._irradiance = irradiance
        self._seed = seed
        self._name = (seed, inverter)
        self._phases = phases
        self.optimizers = list(self._make_optimizers(optimizers))
        self._nominal = PANEL_W * len(optimizers) or LONE_W
        self._string_volts = 750.0 if phases == 3 else 380.0
        if optimizers:
            self._string_volts = min(self._string_volts, MAX_OPTIMIZER_V * len(optimizers))
        self.energy_day = self.energy_interval = 0.0
        self.energy_month = 40000 * self._uniform("month")
        self.energy_year = self.energy_month + 2e6 * self._uniform("year")
        self.energy_total = self.energy_year + 9e6 * self._uniform("total")
        self.wake = self._utc = 0

    def _uniform(self, *name: object) -> float:
        return uniform(*self._name, *name)

    def _make_optimizers(self, optimizers: Sequence[tuple[int, int]]) -> Iterator[Optimizer]:
        weights = [0.9 + 0.2 * self._uniform("panel", number) for _, number in optimizers]
        for (kind, number), weight in zip(optimizers, weights, strict=True):
            yield Optimizer(number, kind, weight / sum(weights), self._uniform("early", number))

    def power(self, utc: float) -> float:
        """AC power (W)."""
        return self._nominal * EFFICIENCY * self._irradiance.relative(utc)

    def energy(self, start: float, end: float) -> float:
        """AC energy (Wh) between two moments of a day, by the trapezoid between them."""
        return (self.power(start) + self.power(end)) / 2 * (end - start) / 3600

    def is_awake(self, utc: float) -> bool:
        """Whether there is light enough."""
        dawn, dusk = self._irradiance.daylight(utc)
        return dawn <= utc < dusk

    def wake_up(self, utc: int) -> None:
        """Begin the day that `utc` falls on, and perhaps a month and a year."""
        self.wake = self._irradiance.daylight(utc)[0]
        day = time.gmtime(utc + ZONE_OFFSET_S)
        self.energy_day = 0.0
        if day.tm_mday == 1:
            self.energy_month = 0.0
        if day.tm_yday == 1:
            self.energy_year = 0.0

    def step(self, utc: int, interval: int) -> None:
        """Count the energy of the interval up to `utc`."""
        self._utc = utc
        self.energy_interval = energy = self.energy(utc - interval, utc)
        self.energy_day += energy
        self.energy_month += energy
        self.energy_year += energy
        self.energy_total += energy

    def energies(self) -> tuple[float, float, float, float, int]:
        """Wh of the day, the month, the year and of all times, and when (UTC seconds)."""
        return (
            self.energy_day,
            self.energy_month,
            self.energy_year,
            self.energy_total,
            self._utc,
        )

    def events(self, utc: int) -> Iterator[DeviceRecord]:
        """The two records of waking up or going to sleep at `utc`."""
        moment = {"Event1": utc, "Event2": utc + ZONE_OFFSET_S, "Event3": 1}
        zone = {"Event1": utc + 3, "Event2": ZONE_OFFSET_S, "Event3": utc + 5}
        zeros = {"Event4": 0, "Event5": 0}
        yield EVENT.number, self.id, {"dateTime": utc, "Type": 0, **moment, **zeros}
        yield EVENT.number, self.id, {"dateTime": utc + 5, "Type": 1, **zone, **zeros}

    def records(self, utc: int, interval: int) -> Iterator[DeviceRecord]:
        """The inverter's own record, and its optimizers'."""
        values = self._common(utc, interval)
        values |= self._three_phases(utc) if self._phases == 3 else self._one_phase(utc)
        table = THREE_PHASE if self._phases == 3 else ONE_PHASE
        yield table.number, self.id | EXTRA_ID_BIT, values
        for optimizer in self.optimizers:
            extra = EXTRA_ID_BIT if optimizer.kind == S_SERIES_OPTIMIZER.number else 0
            yield optimizer.kind, optimizer.id | extra, self._panel(optimizer, utc, interval)

    def _common(self, utc: int, interval: int) -> dict[str, Any]:
        power = self.power(utc)
        mode = MPPT if power else SHUTTING_DOWN
        if utc - self.wake < STARTING_S:
            mode = STARTING
        return {
            "dateTime": utc,
            "Uptime": utc - self.wake,
            "Interval": interval,
            "Temp": 15 + 30 * power / self._nominal + 5 * value_noise(utc, 7200, *self._name),
            "Eday": self.energy_day,
            "Eac": self.energy_interval,
            "Vdc": self._string_volts,
            "Etot": math.floor(self.energy_total),
            "Irdc": 0.006,
            "mode": mode,
        }

    def _one_phase(self, utc: int) -> dict[str, Any]:
        phase = self._phase(utc, "", self.power(utc))
        return phase | {"Pmax": 6000.0, "PowerLimit": 100.0, "IoutDC": -0.03}

    def _three_phases(self, utc: int) -> dict[str, Any]:
        third = self.power(utc) / 3
        values: dict[str, Any] = {"GndFrR": 6900.0, "data29": 100.0}
        for phase in "123":
            values |= self._phase(utc, phase, third)
            values["PowerLimit" + phase] = 100.0
        for pair in ("12", "23", "31"):
            # the angle between two phases is 120 degrees
            one, two = (values["Vac" + phase] for phase in pair)
            values["Vac" + pair] = math.sqrt(one * one + two * two + one * two)
        return values | {"IoutDC": 0.008, "IoutDC2": -0.008, "IoutDC3": 0.002}

    def _phase(self, utc: int, phase: str, active: float) -> dict[str, Any]:
        """The AC side of one phase, whose name is "1" to "3", or nothing where there is one."""
        volts = 225 + 12 * value_noise(utc, 1800, self._seed, "grid", phase)
        reactive = -0.05 * active - 20 if active else 0.0
        apparent = math.hypot(active, reactive)
        return {
            "Vac" + phase: volts,
            "Iac" + phase: apparent / volts,
            "Freq" + phase: 49.97 + 0.06 * value_noise(utc, 300, self._seed, "grid"),
            "CosPhi" + phase: active / apparent if active else 1.0,
            "Pac" + phase: active,
            "Sac" + phase: apparent,
            "Qac" + phase: reactive,
        }

    def _panel(self, optimizer: Optimizer, utc: int, interval: int) -> dict[str, Any]:
        """An optimizer's record, made some time before the inverter passes it on."""
        utc -= int(min(optimizer.early * interval * 0.9, utc - self.wake))
        power = self.power(utc) / EFFICIENCY * optimizer.share
        volts = OPEN_V - 6 * min(1.0, power / PANEL_W * 2)
        return {
            "dateTime": utc,
            "Inverter": f"{self.id | EXTRA_ID_BIT:X}",
            "Uptime": utc - self.wake,
            "Vmod": volts,
            "Vopt": self._string_volts * optimizer.share if power else SAFE_V,
            "Imod": power / volts,
            "Eday": self.energy_day / EFFICIENCY * optimizer.share,
            "Temp": 12 + 40 * power / PANEL_W,
        }

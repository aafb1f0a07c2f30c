"""A whole site: what each of its inverters has to tell the server, and when."""

from __future__ import annotations

import datetime
import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from se.records import format_record
from se.records.inverters import ONE_PHASE
from se.records.optimizers import COMPACT_OPTIMIZER
from se.simulator.inverter import Inverter
from se.simulator.irradiance import DAY_S, ZONE_OFFSET_S, Irradiance
from se.simulator.meter_and_battery import DeviceRecord, MeterAndBattery
from se.simulator.seeded_random import uniform
from se.wire.functions import Function

FIRST_ID = 0x7F100000
FIRST_OPTIMIZER_ID = 0x10000000
MAX_INVERTERS = 1000
RECORDS_PER_MESSAGE = 30
MAX_TELEMETRY = 1360
RECORD_SIZES = {ONE_PHASE.number: 124}  # the table also knows what only later firmware sends


@dataclass(frozen=True)
class Plan:
    """What stands on the site. The same plan always gives the same reports."""

    inverters: int = 1
    three_phase: int = 0  # how many of the inverters, the last ones
    ids: tuple[int, ...] = ()  # of the first inverters; the others' come from the seed
    optimizers: int = 10  # at each inverter
    kinds: tuple[int, ...] = (COMPACT_OPTIMIZER.number,)  # their record types, taken in turn
    meter: bool = False
    battery: bool = False
    date: datetime.date = datetime.date(2026, 6, 21)
    days: int = 1  # without any, nothing is reported
    interval: int = 300
    seed: int = 1


class ReportMessage(NamedTuple):
    """A message that an inverter has for the server from `time` (UTC seconds) on."""

    time: int
    inverter: int
    function: int
    payload: bytes


class Site:
    """The inverters of a plan, with the meter and the battery that belong to them.

    What an inverter reports can be asked for once: its energies go on from there.
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        irradiance = Irradiance(plan.seed)
        optimizers = self._optimizers()
        self.inverters = [
            Inverter(
                plan.seed,
                irradiance,
                inverter,
                1 if number < plan.inverters - plan.three_phase else 3,
                list(itertools.islice(optimizers, plan.optimizers)),
            )
            for number, inverter in enumerate(self._ids())
        ]

    def _ids(self) -> list[int]:
        """The IDs of the inverters."""
        ids = list(self.plan.ids)
        bits = int(uniform(self.plan.seed, "inverter") * 0x10000)
        while len(ids) < self.plan.inverters:
            # steps of an odd width meet every number once
            bits = (bits + 40503) % 0x10000
            if FIRST_ID | bits not in ids:
                ids.append(FIRST_ID | bits)
        return ids

    def _optimizers(self) -> Iterator[tuple[int, int]]:
        """Record types and IDs, as many as are asked for."""
        bits = int(uniform(self.plan.seed, "optimizer") * 0x400000)
        for kind in itertools.cycle(self.plan.kinds):
            bits = (bits + 1664525) % 0x400000
            yield kind, FIRST_OPTIMIZER_ID | bits

    def reports(self) -> Iterator[ReportMessage]:
        """What all inverters report, in the order of time."""
        return heapq.merge(*map(self.inverter_reports, self.inverters))

    def inverter_reports(self, inverter: Inverter) -> Iterator[ReportMessage]:
        """What one of the inverters reports: first it asks for the time."""
        plan = self.plan
        meter_and_battery = self._meter_and_battery(inverter)
        midnight = datetime.datetime.combine(plan.date, datetime.time(), datetime.timezone.utc)
        start = int(midnight.timestamp()) - ZONE_OFFSET_S
        # they do not all report at the same second
        first = start + 7 * self.inverters.index(inverter) % plan.interval
        if plan.days:
            yield ReportMessage(first, inverter.id, Function.SERVER_GET_GMT, b"")
        for utc in range(first, start + plan.days * DAY_S, plan.interval):
            records = [*self._records(inverter, utc)]
            if meter_and_battery:
                records += meter_and_battery.records(utc, plan.interval)
            for payload in (*_payloads(self._events(inverter, utc)), *_payloads(records)):
                yield ReportMessage(utc, inverter.id, Function.SERVER_POST_DATA, payload)
            if records:
                keep_alive = utc + plan.interval // 2
                yield ReportMessage(keep_alive, inverter.id, Function.SERVER_POST_DATA, b"")

    def _meter_and_battery(self, reporter: Inverter) -> MeterAndBattery | None:
        """What meter and battery say is reported by the first inverter."""
        plan = self.plan
        if reporter is not self.inverters[0] or not (plan.meter or plan.battery):
            return None

        def production(start: float, end: float) -> float:
            return sum(inverter.energy(start, end) for inverter in self.inverters)

        return MeterAndBattery(
            plan.seed, reporter.id, production, meter=plan.meter, battery=plan.battery
        )

    def _events(self, inverter: Inverter, utc: int) -> Iterator[DeviceRecord]:
        """Waking up and going to sleep, in the interval up to `utc`."""
        if inverter.is_awake(utc) != inverter.is_awake(utc - self.plan.interval):
            yield from inverter.events(utc)

    def _records(self, inverter: Inverter, utc: int) -> Iterator[DeviceRecord]:
        """An inverter reports while it is awake, and a last time when it goes to sleep."""
        interval = self.plan.interval
        was_awake = inverter.is_awake(utc - interval)
        if not (was_awake or inverter.is_awake(utc)):
            return
        if not was_awake:
            inverter.wake_up(utc)
        inverter.step(utc, interval)
        yield from inverter.records(utc, interval)


def _payloads(records: Iterable[DeviceRecord]) -> Iterator[bytes]:
    """The records in as few messages as inverters would use."""
    payload, count = b"", 0
    for number, device, values in records:
        raw = format_record(number, device, values, RECORD_SIZES.get(number))
        if count == RECORDS_PER_MESSAGE or len(payload) + len(raw) > MAX_TELEMETRY:
            yield payload
            payload, count = b"", 0
        payload += raw
        count += 1
    if payload:
        yield payload

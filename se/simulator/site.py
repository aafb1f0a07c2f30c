"""A whole site: what each of its inverters has to tell the server, and when."""

from __future__ import annotations

import datetime
import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from se.records import format_record
from se.simulator.house import House, Record
from se.simulator.inverter import COMPACT, ONE_PHASE, Inverter
from se.simulator.sky import DAY_S, ZONE_OFFSET_S, Sky, chance
from se.wire.functions import Function

FIRST_ID = 0x7F100000
FIRST_OPTIMIZER_ID = 0x10000000
MAX_INVERTERS = 1000
RECORDS_PER_MESSAGE = 30
MAX_PAYLOAD = 1360
RECORD_SIZES = {ONE_PHASE: 124}  # the table also knows what only later firmware sends


@dataclass(frozen=True)
class Plan:
    """What stands on the site. The same plan always gives the same reports."""

    inverters: int = 1
    three_phase: int = 0  # how many of the inverters, the last ones
    ids: tuple[int, ...] = ()  # of the first inverters; the others' come from the seed
    optimizers: int = 10  # at each inverter
    kinds: tuple[int, ...] = (COMPACT,)  # their record types, taken in turn
    meter: bool = False
    battery: bool = False
    date: datetime.date = datetime.date(2026, 6, 21)
    days: int = 1  # without any, nothing is reported
    interval: int = 300
    seed: int = 1


class Report(NamedTuple):
    """A message that an inverter has for the server from `time` (UTC seconds) on."""

    time: int
    inverter: int
    function: int
    payload: bytes


class Site:
    """The inverters of a plan, the sun above and the house behind them.

    What an inverter reports can be asked for once: its energies go on from there.
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        sky = Sky(plan.seed)
        optimizers = self._optimizers()
        self.inverters = [
            Inverter(
                plan.seed,
                sky,
                inverter,
                1 if number < plan.inverters - plan.three_phase else 3,
                list(itertools.islice(optimizers, plan.optimizers)),
            )
            for number, inverter in enumerate(self._ids())
        ]

    def _ids(self) -> list[int]:
        """The IDs of the inverters."""
        ids = list(self.plan.ids)
        bits = int(chance(self.plan.seed, "inverter") * 0x10000)
        while len(ids) < self.plan.inverters:
            # steps of an odd width meet every number once
            bits = (bits + 40503) % 0x10000
            if FIRST_ID | bits not in ids:
                ids.append(FIRST_ID | bits)
        return ids

    def _optimizers(self) -> Iterator[tuple[int, int]]:
        """Record types and IDs, as many as are asked for."""
        bits = int(chance(self.plan.seed, "optimizer") * 0x400000)
        for kind in itertools.cycle(self.plan.kinds):
            bits = (bits + 1664525) % 0x400000
            yield kind, FIRST_OPTIMIZER_ID | bits

    def reports(self) -> Iterator[Report]:
        """What all inverters report, in the order of time."""
        return heapq.merge(*map(self.inverter_reports, self.inverters))

    def inverter_reports(self, inverter: Inverter) -> Iterator[Report]:
        """What one of the inverters reports: first it asks for the time."""
        plan = self.plan
        house = self._house(inverter)
        midnight = datetime.datetime.combine(plan.date, datetime.time(), datetime.timezone.utc)
        start = int(midnight.timestamp()) - ZONE_OFFSET_S
        # they do not all report at the same second
        first = start + 7 * self.inverters.index(inverter) % plan.interval
        if plan.days:
            yield Report(first, inverter.id, Function.SERVER_GET_GMT, b"")
        for utc in range(first, start + plan.days * DAY_S, plan.interval):
            records = [*self._records(inverter, utc)]
            if house:
                records += house.records(utc, plan.interval)
            for payload in (*_payloads(self._events(inverter, utc)), *_payloads(records)):
                yield Report(utc, inverter.id, Function.SERVER_POST_DATA, payload)
            if records:
                keep_alive = utc + plan.interval // 2
                yield Report(keep_alive, inverter.id, Function.SERVER_POST_DATA, b"")

    def _house(self, reporter: Inverter) -> House | None:
        """What meter and battery say is reported by the first inverter."""
        plan = self.plan
        if reporter is not self.inverters[0] or not (plan.meter or plan.battery):
            return None

        def production(start: float, end: float) -> float:
            return sum(inverter.energy(start, end) for inverter in self.inverters)

        return House(plan.seed, reporter.id, production, meter=plan.meter, battery=plan.battery)

    def _events(self, inverter: Inverter, utc: int) -> Iterator[Record]:
        """Waking up and going to sleep, in the interval up to `utc`."""
        if inverter.is_awake(utc) != inverter.is_awake(utc - self.plan.interval):
            yield from inverter.events(utc)

    def _records(self, inverter: Inverter, utc: int) -> Iterator[Record]:
        """An inverter reports while it is awake, and a last time when it goes to sleep."""
        interval = self.plan.interval
        was_awake = inverter.is_awake(utc - interval)
        if not (was_awake or inverter.is_awake(utc)):
            return
        if not was_awake:
            inverter.wake_up(utc)
        inverter.step(utc, interval)
        yield from inverter.records(utc, interval)


def _payloads(records: Iterable[Record]) -> Iterator[bytes]:
    """The records in as few messages as inverters would use."""
    payload, count = b"", 0
    for number, device, values in records:
        raw = format_record(number, device, values, RECORD_SIZES.get(number))
        if count == RECORDS_PER_MESSAGE or len(payload) + len(raw) > MAX_PAYLOAD:
            yield payload
            payload, count = b"", 0
        payload += raw
        count += 1
    if payload:
        yield payload

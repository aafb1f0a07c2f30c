"""Ten hours of telemetry on a bad RS485 bus, with a fake clock and two simulated slaves."""

import itertools
import pathlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import orjson
import pytest

from se.files.write import open_output
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.zone import LocalZone
from se.records import parse_telemetry
from se.simulator.device import Device, Line, make_devices
from se.simulator.faults import Faults
from se.simulator.site import Plan, Site
from se.sinks.json_lines import JsonLines
from se.wire.framer import Framer
from se.wire.functions import Function
from se.wire.keyring import Keyring
from se.wire.master import PAUSE_S, SILENCE_S, Master
from se.wire.message import Message
from se.wire.session import RecentMessages, ServerEnvironment, Session

HOURS, SUNNY_HOURS = 15, 10  # from midnight on: at first there is nothing to tell
BITS_PER_SECOND = 115200
DAMAGED = 1 / 100  # of the bytes; not the hundredth by counting: no longer message would ever pass
PLAN = Plan(inverters=2, optimizers=1)
LOST = 20  # every twentieth message


class Bus:
    """All hear what one says, as much of it as arrives; `now` goes on as the bits do."""

    def __init__(self, seed: int, now: float):
        self.now = now
        self._chance = random.Random(seed)
        self._messages = 0

    def carry(self, data: bytes) -> bytes:
        """What arrives of some messages."""
        arrived = b"".join(self._damage(raw) for raw in split(data))
        self.now += len(data) * 10 / BITS_PER_SECOND
        return arrived

    def _damage(self, raw: bytes) -> bytes:
        self._messages += 1
        if self._messages % LOST == 0:
            return b""
        chance = self._chance
        return bytes(
            byte ^ chance.randrange(1, 256) if chance.random() < DAMAGED else byte for byte in raw
        )


def split(data: bytes) -> Iterator[bytes]:
    framer = Framer()
    framer.feed(data)
    while event := framer.next_event():
        assert isinstance(event, Message)
        yield event.to_bytes()


def play(bus: Bus, master: Master, devices: Sequence[Device], monitor: Monitor) -> list[float]:
    """Let them talk for hours; returns when the master said something."""
    spoken = []
    end = bus.now + HOURS * 3600
    for device in devices:
        device.connect(bus.now)
    while bus.now < end:
        deadlines = [device.next_deadline() for device in devices] + [master.next_deadline()]
        bus.now = max(bus.now, min(each for each in deadlines if each is not None))
        master.handle_time(bus.now)
        monitor.handle("bus", master.events())
        for device in devices:
            device.handle_time(bus.now)
        if data := master.data_to_send():
            spoken.append(bus.now)
            arrived = bus.carry(data)
            for device in devices:
                device.receive_data(arrived, bus.now)
        for device in devices:
            if data := device.data_to_send():
                arrived = bus.carry(data)
                master.receive_data(arrived, bus.now)
                for other in devices:
                    if other is not device:
                        other.receive_data(arrived, bus.now)
        monitor.handle("bus", master.events())
    return spoken


def reported(until: float) -> Counter[bytes]:
    """The lines of what the inverters have to tell up to that time."""
    site = Site(PLAN)
    reports = [
        report
        for inverter in site.inverters
        for report in site.inverter_reports(inverter)
        if report.time <= until and report.function == Function.SERVER_POST_DATA
    ]
    zone = LocalZone()
    return Counter(
        orjson.dumps(line)
        for report in reports
        for line in parse_telemetry(report.payload, zone).lines
    )


@pytest.mark.parametrize("never_release", [False, True])
def test_ten_hours_of_damage_lose_nothing_write_nothing_twice_and_never_stall(
    never_release: bool, tmp_path: pathlib.Path
) -> None:
    start = next(Site(PLAN).reports()).time
    faults = Faults(never_release=never_release)
    devices = make_devices(Site(PLAN), {}, Line.RS485, faults=faults, speed=1.0)
    server = ServerEnvironment(offset=lambda utc: 0, random=lambda size: bytes(size))
    session = Session(Keyring({}, []), RecentMessages(), server, idle=1.0)
    numbers = itertools.cycle(range(1, 0x10000))
    master = Master(session, [device.inverter for device in devices], lambda: next(numbers))
    bus = Bus(seed=1, now=float(start))
    path = tmp_path / "bus.json"
    with open_output(str(path)) as output:
        spoken = play(bus, master, devices, Monitor(JsonLines(output)))

    written = Counter(path.read_bytes().splitlines())
    assert max(written.values()) == 1
    assert written <= reported(bus.now + 300)
    assert reported(bus.now - 600) <= written
    assert len(written) > 2 * SUNNY_HOURS * 12
    gaps = [after - before for before, after in itertools.pairwise(spoken)]
    assert max(gaps) < SILENCE_S + PAUSE_S + 0.1  # a silent slave at the end of a round

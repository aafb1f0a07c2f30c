"""The simulated site: decoded by the project's own decoder it is what it should be."""

from __future__ import annotations

import datetime
import math
import pathlib
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import se.simulator.site as site_module
from se.programs.monitor.zone import LocalZone
from se.records import RECORD_TYPES, format_record, parse_telemetry
from se.records.field import format_id
from se.simulator import __main__ as program
from se.simulator.encoder import MessageEncoder
from se.simulator.inverter import MPPT, SHUTTING_DOWN, STARTING
from se.simulator.irradiance import ZONE_OFFSET_S, Irradiance
from se.simulator.options import make_options, parser
from se.simulator.site import MAX_TELEMETRY, RECORDS_PER_MESSAGE, Plan, ReportMessage, Site
from se.wire.framer import Discarded
from se.wire.functions import Function
from se.wire.keyring import Keyring
from se.wire.message import SERVER
from se.wire.session import Received, RecentMessages, Session

ROOT = pathlib.Path(__file__).parents[2]
SAMPLE = ROOT / "tests/captures/site.dat"
KEY = bytes(range(16))

HOUSE = Plan(
    inverters=2, three_phase=1, optimizers=6, kinds=(0, 0x80, 0x82), meter=True, battery=True
)

Record = dict[str, Any]


def records_of(reports: Iterator[ReportMessage], group: str) -> list[Record]:
    """All records of a group, in order."""
    found = []
    for report in reports:
        for line in parse_telemetry(report.payload, LocalZone()).lines:
            found += line.get(group, {}).values()
    return found


def by_id(records: list[Record]) -> dict[str, list[Record]]:
    """The records of each device."""
    devices: dict[str, list[Record]] = {}
    for record in records:
        devices.setdefault(record["ID"], []).append(record)
    return devices


def received(data: bytes, keyring: Keyring | None = None) -> list[Received]:
    """The messages in a recording, which has to be flawless."""
    session = Session(keyring or Keyring({}, []), RecentMessages())
    session.receive_data(data, 0)
    session.close()
    events = list(session.events())
    assert not [event for event in events if isinstance(event, Discarded)]
    return [event for event in events if isinstance(event, Received)]


def output(*options: str) -> bytes:
    """What the program writes to stdout."""
    command = [sys.executable, "-m", "se.simulator", *options]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def test_the_sample_is_what_its_documented_command_writes() -> None:
    documented = (SAMPLE.parent / "README.md").read_text()
    command = re.search(r"`python3 -m se\.simulator (.+) -o tests/captures/site\.dat`", documented)
    assert command
    assert output(*command[1].split()) == SAMPLE.read_bytes()


def test_the_sample_has_every_kind_of_record_and_is_small() -> None:
    data = SAMPLE.read_bytes()
    types: Counter[int] = Counter()
    for event in received(data):
        telemetry = parse_telemetry(event.message.payload, LocalZone())
        assert not telemetry.problems
        types.update(telemetry.types)
    assert set(types) == set(RECORD_TYPES)
    assert len(data) < 150_000


def test_messages_are_as_large_as_those_of_inverters() -> None:
    plan = Plan(inverters=2, optimizers=60, kinds=(0x00,), battery=True)
    sizes = [len(report.payload) for report in Site(plan).reports()]
    assert 1000 < max(sizes) <= MAX_TELEMETRY
    counts = [
        len(parse_telemetry(report.payload, LocalZone()).types) for report in Site(plan).reports()
    ]
    assert max(counts) == RECORDS_PER_MESSAGE


def test_each_inverter_first_asks_for_the_time_and_keeps_its_connection_alive() -> None:
    reports = list(Site(HOUSE).reports())
    assert [report.time for report in reports] == sorted(report.time for report in reports)
    for inverter in Site(HOUSE).inverters:
        own = [report for report in reports if report.inverter == inverter.id]
        assert own[0].function == Function.SERVER_GET_GMT
        assert {report.function for report in own[1:]} == {Function.SERVER_POST_DATA}
        assert Counter(not report.payload for report in own[1:])[True] > 60


def test_sequence_numbers_count_from_any_start_and_leave_zero_out() -> None:
    encoder = MessageEncoder(0x7F101234, None, 1)
    sequences = [encoder.message(Function.SERVER_POST_DATA).sequence for _ in range(0x10000)]
    steps = {after - before for before, after in zip(sequences, sequences[1:], strict=False)}
    assert steps == {1, 1 - 0xFFFF}
    assert (min(sequences), max(sequences)) == (1, 0xFFFF)


def test_inverters_are_named_as_in_real_telemetry() -> None:
    site = Site(Plan(inverters=200, optimizers=30))
    ids = [inverter.id for inverter in site.inverters]
    assert len(set(ids)) == 200
    assert {number >> 16 for number in ids} == {0x7F10}
    optimizers = [each.id for inverter in site.inverters for each in inverter.optimizers]
    assert len(set(optimizers)) == 6000
    assert not [number for number in optimizers if number & 0x00800000]


def test_an_id_that_is_given_is_not_made_again() -> None:
    made = [inverter.id for inverter in Site(Plan(inverters=3)).inverters]
    given = Plan(inverters=4, ids=(made[1],))
    ids = [inverter.id for inverter in Site(given).inverters]
    assert ids[:3] == [made[1], made[0], made[2]]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(("kind", "names_inverter"), [(0x00, True), (0x80, False), (0x82, True)])
def test_optimizers_of_each_kind_name_their_inverter_as_they_do(
    kind: int, names_inverter: bool
) -> None:
    plan = Plan(ids=(0x7F101234,), kinds=(kind,))
    raw = [report.payload for report in Site(plan).reports()]
    records = records_of(Site(plan).reports(), "optimizers")
    assert {record["Inverter"] for record in records} == {"7F101234" if names_inverter else 0}
    # on the wire the IDs have one bit more
    assert any(payload.startswith(bytes.fromhex("10003412907f7c00")) for payload in raw)
    assert any(payload.count(bytes.fromhex("3412907f")) > 1 for payload in raw) is names_inverter
    published = {
        f"{each.id:X}" for inverter in Site(plan).inverters for each in inverter.optimizers
    }
    assert {record["ID"] for record in records} == published


@pytest.mark.parametrize("phases", [1, 3])
def test_powers_agree_with_each_other_and_with_the_energy(phases: int) -> None:
    plan = Plan(three_phase=phases // 3, days=3)
    records = records_of(Site(plan).reports(), "inverters")
    suffixes = ("1", "2", "3") if phases == 3 else ("",)
    before = records[0]
    for record in records[1:]:
        for suffix in suffixes:
            active, reactive = record["Pac" + suffix], record["Qac" + suffix]
            apparent = record["Sac" + suffix]
            assert apparent == pytest.approx(math.hypot(active, reactive), rel=1e-6)
            volt_ampere = record["Vac" + suffix] * record["Iac" + suffix]
            assert apparent == pytest.approx(volt_ampere, rel=1e-6)
            if active:
                assert record["CosPhi" + suffix] == pytest.approx(active / apparent, rel=1e-6)
        assert record["Pac"] == pytest.approx(sum(record["Pac" + each] for each in suffixes))
        if record["Uptime"] > record["Interval"]:
            mean = (record["Pac"] + before["Pac"]) / 2
            assert record["Eac"] == pytest.approx(mean * record["Interval"] / 3600, rel=1e-5)
        before = record


def test_line_voltages_are_those_between_the_phases() -> None:
    for record in records_of(Site(Plan(three_phase=1)).reports(), "inverters"):
        for one, two in ("12", "23", "31"):
            mean = (record["Vac" + one] + record["Vac" + two]) / 2
            assert record[f"Vac{one}{two}"] == pytest.approx(mean * math.sqrt(3), rel=1e-3)


def test_the_energy_of_the_day_only_grows_and_starts_again_each_morning() -> None:
    for records in by_id(
        records_of(Site(Plan(inverters=2, days=4)).reports(), "inverters")
    ).values():
        restarts = 0
        for before, record in zip(records, records[1:], strict=False):
            assert record["Etot"] >= before["Etot"]
            if record["Uptime"] < before["Uptime"]:
                restarts += 1
                assert record["Eday"] < 100 < before["Eday"]
            else:
                assert record["Uptime"] - before["Uptime"] == record["Interval"] == 300
                assert record["Eday"] == pytest.approx(before["Eday"] + record["Eac"], rel=1e-5)
        assert restarts == 3


def test_the_counters_of_month_and_year_start_again_when_they_end() -> None:
    site = Site(Plan(date=datetime.date(2026, 12, 31), days=2))
    inverter = site.inverters[0]
    was_month, was_year, was_total = (
        inverter.energy_month,
        inverter.energy_year,
        inverter.energy_total,
    )
    produced = sum(record["Eac"] for record in records_of(site.reports(), "inverters"))
    assert was_month <= was_year <= was_total
    assert inverter.energy_total == pytest.approx(was_total + produced)
    assert inverter.energy_month == inverter.energy_year == pytest.approx(inverter.energy_day)


@pytest.mark.parametrize("kind", [0x00, 0x80, 0x82])
def test_optimizers_share_the_power_of_their_inverter(kind: int) -> None:
    site = Site(Plan(optimizers=20, kinds=(kind,)))
    inverter = site.inverters[0]
    for records in by_id(records_of(site.inverter_reports(inverter), "optimizers")).values():
        days = [record["Eday"] for record in records]
        assert days == sorted(days)
        assert max(record["Uptime"] for record in records) < 0x10000
        for record in records:
            share = next(
                each.share for each in inverter.optimizers if f"{each.id:X}" == record["ID"]
            )
            expected = inverter.power(record["dateTime"]) * share / 0.975
            assert record["Vmod"] * record["Imod"] == pytest.approx(expected, abs=1.5)
            assert 0 < record["Vopt"] <= 80
        assert days[-1] == pytest.approx(inverter.energy_day * share / 0.975, rel=0.01)


def test_house_energies_balance_in_every_interval() -> None:
    reports = list(Site(HOUSE).reports())
    meters = records_of(iter(reports), "meters_0x0022")
    batteries = [
        each["BAT-" + _reporter()] for each in records_of(iter(reports), "batteries_0x0030")
    ]
    assert len(meters) == len(batteries) == 288
    charge = None
    for roles, battery in zip(meters, batteries, strict=True):
        grid, pv = roles["5_GridImportExport"], roles["9_PVProduction"]
        stored = roles["7_Battery"]
        assert (stored["EfromX"], stored["E2X"]) == (battery["EIn"], battery["EOut"])
        sources = pv["E2X"] + grid["EfromX"] + stored["E2X"]
        sinks = roles["3_Consumption"]["EfromX"] + grid["E2X"] + stored["EfromX"]
        assert sources == pytest.approx(sinks, abs=4)  # each counter shows whole Wh
        assert 0 <= battery["BattCharge"] <= battery["BattCapacityActual"]
        if charge is not None:
            flow = battery["BattCharge"] - charge
            assert flow == pytest.approx(battery["EIn"] - battery["EOut"], abs=2)
            assert battery["BattChargingStatus"] == (3 if flow > 0 else 4 if flow < 0 else 6)
        charge = battery["BattCharge"]
    assert {each["BattChargingStatus"] for each in batteries} == {3, 4, 6}


def _reporter() -> str:
    return f"{Site(HOUSE).inverters[0].id:X}"


def test_the_meter_sees_what_all_inverters_produce() -> None:
    reports = list(Site(HOUSE).reports())
    produced = sum(each["Eac"] for each in records_of(iter(reports), "inverters"))
    seen = sum(
        roles["9_PVProduction"]["E2X"] for roles in records_of(iter(reports), "meters_0x0022")
    )
    assert seen == pytest.approx(produced, rel=0.001)


def test_a_meter_without_battery_and_a_battery_without_meter() -> None:
    meter = records_of(Site(Plan(meter=True)).reports(), "meters_0x0022")
    assert set(meter[0]) == {"9_PVProduction", "5_GridImportExport", "3_Consumption"}
    only_battery = list(Site(Plan(battery=True)).reports())
    assert records_of(iter(only_battery), "batteries_0x0030")
    assert not records_of(iter(only_battery), "meters_0x0022")


def test_inverters_sleep_at_night_and_tell_of_dusk_and_dawn() -> None:
    reports = list(Site(Plan(days=2)).reports())
    dawn, dusk = Irradiance(1).daylight(reports[0].time)
    told = [report for report in reports if report.payload.startswith(bytes.fromhex("0003"))]
    assert [len(report.payload) for report in told] == [72] * 4  # a message of its own
    events = records_of(iter(reports), "events")
    assert [event["Type"] for event in events] == [0, 1] * 4
    assert dawn <= events[0]["dateTime"] < dawn + 300
    assert dusk <= events[2]["dateTime"] < dusk + 300
    first = by_id(records_of(iter(reports), "inverters"))
    (records,) = first.values()
    modes = [record["mode"] for record in records if record["dateTime"] < reports[0].time + 86400]
    assert (modes[0], modes[-1], set(modes[1:-1])) == (STARTING, SHUTTING_DOWN, {MPPT})


def test_events_show_the_zone_of_the_site() -> None:
    for report in Site(Plan()).reports():
        for line in parse_telemetry(report.payload, LocalZone()).lines:
            for event in line["events"].values():
                if event["Type"] == 1:
                    assert event["Event2"] == ZONE_OFFSET_S
                    assert event["Event3"] == LocalZone().local_text(event["dateTime"])
                else:
                    assert event["Event1"] == LocalZone().local_text(event["dateTime"])
                    shown = LocalZone().clock_text(event["dateTime"] + ZONE_OFFSET_S)
                    assert event["Event2"] == shown


def test_days_are_longer_in_summer_and_nights_dark() -> None:
    irradiance = Irradiance(7)
    lengths = []
    for date in ("2026-06-21", "2026-03-20", "2026-12-21"):
        noon = int(datetime.datetime.fromisoformat(date + "T12:00+01:00").timestamp())
        dawn, dusk = irradiance.daylight(noon)
        lengths.append((dusk - dawn) / 3600)
        assert irradiance.relative(dawn - 60) == irradiance.relative(dusk + 60) == 0
        assert 0 < irradiance.relative(dawn + 600) < irradiance.relative(noon) <= 1
    assert lengths == pytest.approx([15.6, 11.6, 7.3], abs=0.1)


def test_what_comes_out_is_what_went_in(monkeypatch: pytest.MonkeyPatch) -> None:
    going_in: list[tuple[int, Record]] = []

    def format_and_keep(number: int, device: int, values: Record, size: int | None) -> bytes:
        going_in.append((number, values))
        return format_record(number, device, values, size)

    monkeypatch.setattr(site_module, "format_record", format_and_keep)
    coming_out: list[Record] = []
    site = Site(HOUSE)
    for report in site.inverter_reports(site.inverters[0]):
        for line in parse_telemetry(report.payload, LocalZone()).lines:
            for group, devices in line.items():
                for found in devices.values():
                    coming_out += found.values() if "0x" in group else [found]
    assert len(coming_out) > 1000
    for (number, values), record in zip(going_in, coming_out, strict=True):
        assert_equal(number, values, record)


def assert_equal(number: int, values: Record, record: Record) -> None:
    """A decoded record has the values that it was made of, as exactly as its type can."""
    for name, value in values.items():
        if name == "Inverter":
            value = 0 if number == 0x80 else format_id(int(value, 16))
        if isinstance(value, str):
            assert record[name] == value
        elif not isinstance(record[name], str):  # as the moments of events
            step = COMPACT_STEPS.get(name, 0) if number in (0x80, 0x82) else 0
            assert record[name] == pytest.approx(value, rel=1e-6, abs=step / 2), name


COMPACT_STEPS = {"Vmod": 1 / 8, "Vopt": 1 / 8, "Imod": 1 / 160, "Eday": 1 / 4, "Temp": 2}


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    tmp_path: pathlib.Path,
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"7f101234 {KEY.hex()}\n")
    options = ["--ids", "7f101234", "--key", str(keys), "--interval", "3600"]
    assert output(*options) == output(*options)
    assert output(*options) != output(*options, "--seed", "2")


def test_encrypted_recordings_decrypt_to_the_plain_ones(tmp_path: pathlib.Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"7f101234 {KEY.hex()}\n{KEY[::-1].hex()}\n")
    options = ["--inverters", "3", "--ids", "7f101234", "--interval", "1800"]
    plain = received(output(*options))
    data = output(*options, "--key", str(keys))
    second = Site(Plan(inverters=3, ids=(0x7F101234,))).inverters[1].id
    events = received(data, Keyring({0x7F101234: KEY, second: KEY[::-1]}, []))
    told = [event for event in events if event.message.function != Function.SERVER_SET_KEY]
    assert [event.message.payload for event in told] == [event.message.payload for event in plain]
    assert [event.message.source for event in told] == [event.message.source for event in plain]
    encrypted = {event.message.source for event in told if event.wrapper}
    in_the_clear = {event.message.source for event in told if not event.wrapper}
    assert encrypted == {0x7F101234, second}
    assert len(in_the_clear) == 1
    assert len(events) - len(told) == 2 * 5  # a new session every few hours of daylight


def test_every_option_shapes_the_site() -> None:
    arguments = parser().parse_args(
        "--inverters 3 --three-phase 2 --ids 7F10ABCD,10 --optimizers 4 --kinds 82,0 --meter"
        " --battery --date 2020-02-29 --days 2 --interval 60 --seed -5 -o x".split()
    )
    plan = make_options(arguments).plan
    assert plan == Plan(
        inverters=3,
        three_phase=2,
        ids=(0x7F10ABCD, 0x10),
        optimizers=4,
        kinds=(0x82, 0),
        meter=True,
        battery=True,
        date=datetime.date(2020, 2, 29),
        days=2,
        interval=60,
        seed=-5,
    )
    site = Site(plan)
    assert [inverter.id for inverter in site.inverters][:2] == [0x7F10ABCD, 0x10]
    kinds = [[each.kind for each in inverter.optimizers] for inverter in site.inverters]
    assert kinds == [[0x82, 0, 0x82, 0]] * 3
    types: dict[int, set[int]] = {}
    for report in site.reports():
        found = parse_telemetry(report.payload, LocalZone()).types
        types.setdefault(report.inverter, set()).update(found)
    assert [0x10 in each for each in types.values()] == [True, False, False]
    assert [0x11 in each for each in types.values()] == [False, True, True]


def test_a_site_without_optimizers_works() -> None:
    reports = list(Site(Plan(optimizers=0)).reports())
    assert records_of(iter(reports), "inverters")
    assert not records_of(iter(reports), "optimizers")


def test_the_recording_goes_to_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "day.dat"
    assert program.main(["-o", str(path), "--days", "3"]) == 0
    events = received(path.read_bytes())
    assert path.stat().st_size > 1 << 16
    assert {event.message.dest for event in events} == {SERVER}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--inverters", "0"], "'0' is not a number from 1 to 1000"),
        (["--inverters", "2x"], "'2x' is not a number"),
        (["--interval", "9"], "from 10 to 3600"),
        (["--date", "21.6.2026"], "is not a date"),
        (["--date", "1950-01-01"], "the years 1971 to 2099"),
        (["--ids", "7f101234,xyz"], "'xyz' is not an inverter's ID"),
        (["--ids", "123456789"], "is not an inverter's ID"),
        (["--ids", "12,12"], "twice"),
        (["--ids", "12,13"], "--ids names 2 inverters, --inverters says 1"),
        (["--kinds", "0081"], "optimizers have 0000, 0080 and 0082"),
        (["--three-phase", "2"], "--three-phase 2 of 1 inverters"),
        (["--seed", "x"], "--seed"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = program.main(options)
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    assert code == 2
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"7f10ffff {KEY.hex()}\n", "there is no inverter 7F10FFFF (see --ids): "),
        (f"{KEY.hex()}\n{KEY[::-1].hex()}\n", "more keys than inverters"),
    ],
)
def test_a_key_that_no_inverter_has_is_refused(
    content: str, said: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(content)
    assert program.main(["--key", str(keys)]) == 2
    assert said in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["-o", str(tmp_path / "no/such/folder")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "se.simulator", "--days", "2000"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_ctrl_c_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "se.simulator", "--days", "2000"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGINT


@pytest.mark.parametrize(("option", "said"), [("--help", "examples:"), ("--version", "simulator")])
def test_help_and_version_go_to_stdout(option: str, said: str) -> None:
    assert said in output(option).decode()

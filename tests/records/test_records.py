"""Telemetry: tables, the real records, what is short, unknown or impossible."""

import json
import math
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.records import RECORD_TYPES, Telemetry, format_record, format_telemetry, parse_telemetry
from se.records.field import REST, format_hex, format_id, parse_hex
from se.records.table import Table
from se.wire.values import NOT_REPORTED
from tests.captures import RECORDS
from tests.support.zones import zone

TABLES = list(RECORD_TYPES.values())
SIZES = {0x0000: 36, 0x0080: 13, 0x0082: 21, 0x0010: 196, 0x0011: 258, 0x0022: 58, 0x0030: 86}


def parse(payload: bytes, zone_name: str = "UTC") -> Telemetry:
    with zone(zone_name) as local:
        return parse_telemetry(payload, local)


def record(payload: bytes, zone_name: str = "UTC") -> dict[str, Any]:
    """The only record of a payload."""
    telemetry = parse(payload, zone_name)
    assert telemetry.problems == []
    [line] = telemetry.lines
    while True:
        if "Date" in line:
            return line
        [line] = [value for value in line.values() if value]


def capture(number: int) -> list[bytes]:
    return [bytes.fromhex(entry["hex"]) for entry in RECORDS if int(entry["seType"], 16) == number]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"0x{table.number:04x}")
def test_the_widths_of_a_table_add_up_to_the_record(table: Table) -> None:
    assert table.size == SIZES.get(table.number, 28)
    assert sum(field.kind.bits for field in table.fields) == 8 * table.size
    assert len(table.encode({})) == table.size


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"0x{table.number:04x}")
def test_the_published_names_are_those_of_a_whole_record(table: Table) -> None:
    decoded = record(format_record(table.number, 0x7F101234, {"dateTime": 1, "recType": 5}))
    assert tuple(decoded) == table.keys
    assert len(set(table.keys)) == len(table.keys)


@pytest.mark.parametrize(
    "entry", RECORDS, ids=lambda entry: f"{entry['seType']} {entry['hex'][:24]}"
)
def test_every_posted_record_decodes_without_a_problem(entry: dict[str, Any]) -> None:
    raw = bytes.fromhex(entry["hex"])
    number = int(entry["seType"], 16)
    decoded = record(raw)
    table = RECORD_TYPES.get(number)
    assert decoded["dateTime"] == struct.unpack_from("<L", raw, 8)[0]
    identity = decoded["ID"] if table and "0x" not in table.group else decoded["seId"]
    assert identity == format_id(struct.unpack_from("<L", raw, 2)[0])
    again = (table.encode(decoded) if table and number != 0x0300 else raw[8:])[: len(raw) - 8]
    assert record(raw[:8] + again) == decoded


def test_the_one_phase_inverter_as_its_owner_saw_it() -> None:
    [posted] = [entry["posted"]["csv"] for entry in RECORDS if entry["seType"] == "0x0010"]
    decoded = record(capture(0x0010)[0], "Europe/Amsterdam")
    names = "Date Time ID Uptime Interval Temp Eday Eac Vac Iac Freq Vdc Etot Pmax Pac".split()
    for name, text in zip(names, posted.split(","), strict=True):
        value = decoded[name]
        assert (value if isinstance(value, str) else f"{value:.6f}").startswith(text.rstrip("0"))
    assert decoded["Sac"] ** 2 == pytest.approx(decoded["Pac"] ** 2 + decoded["Qac"] ** 2, rel=0.1)
    assert decoded["GndFrR"] == decoded["Pmax"] == 6000
    assert (decoded["mode"], decoded["CosPhi"]) == (4, pytest.approx(1))
    assert decoded["PowerLimit"] == 100


def test_the_three_phase_inverter_and_its_powers() -> None:
    decoded = record(capture(0x0011)[0])
    assert decoded["ID"] == "7E1A06DB"
    assert (decoded["Uptime"], decoded["Interval"]) == (11718, 300)
    assert decoded["Vdc"] == pytest.approx(748.19, abs=0.005)
    assert decoded["EdayDC"] is None and decoded["data21"] is None
    assert decoded["Pac"] == decoded["Pac1"] + decoded["Pac2"] + decoded["Pac3"] == 4335
    for phase in "123":
        active, apparent, reactive = (decoded[name + phase] for name in ("Pac", "Sac", "Qac"))
        assert apparent == pytest.approx(math.hypot(active, reactive), rel=0.01)
        assert apparent == pytest.approx(decoded["Vac" + phase] * decoded["Iac" + phase], rel=0.02)
    assert decoded["Vac12"] == pytest.approx(decoded["Vac1"] * math.sqrt(3), rel=0.01)
    assert decoded["data29"] == decoded["PowerLimit1"] == 100


def test_a_phase_that_does_not_report_leaves_the_sum_open() -> None:
    values = {"dateTime": 1, "Pac1": 10.0, "Pac2": 20.0}
    assert record(format_record(0x0011, 1, values))["Pac"] is None
    assert record(format_record(0x0011, 1, {**values, "Pac3": 30.0}))["Pac"] == 60


@pytest.mark.parametrize(
    "entry",
    [entry for entry in RECORDS if entry["seType"] == "0x0082"],
    ids=lambda entry: entry["posted"]["ID"],
)
def test_the_s_series_optimizers_as_their_owner_saw_them(entry: dict[str, Any]) -> None:
    decoded = record(bytes.fromhex(entry["hex"]))
    for name in ("ID", "Uptime", "Vmod", "Vopt", "Imod", "Date"):
        assert decoded[name] == entry["posted"][name]
    # the original printed 0 for what it did not know
    assert decoded["Eday"] > 100 and 18 <= decoded["Temp"] <= 30
    assert decoded["Inverter"] == "7415F893"


def test_compact_optimizers() -> None:
    assert record(capture(0x0080)[0], "Europe/Madrid") == {
        "Date": "2016-06-08",
        "Time": "14:17:46",
        "ID": "2023765D",
        "Inverter": 0,
        "Uptime": 32094,
        "Vmod": 27.0,
        "Vopt": 34.0,
        "Imod": 7.59375,
        "Eday": 930.0,
        "Temp": 44.0,
        "dateTime": 1465388266,
    }


def test_temperatures_below_zero() -> None:
    raw = format_record(
        0x0080, 1, {"dateTime": 1, "Temp": -14.0, "Vmod": 127.875, "Imod": 25.59375}
    )
    decoded = record(raw)
    assert (decoded["Temp"], decoded["Vmod"], decoded["Imod"]) == (-14, 127.875, 25.59375)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in RECORDS if entry["seType"] == "0x0022" and entry["posted"]],
    ids=lambda entry: entry["source"],
)
def test_meters_as_their_owners_saw_them(entry: dict[str, Any]) -> None:
    decoded = record(bytes.fromhex(entry["hex"]), "Europe/Amsterdam")
    posted = entry["posted"]
    if isinstance(posted, str):
        posted = json.loads(posted)["meters_0x0022"]["73123D96"]["9_PVProduction"]
    assert decoded["PfromX"] is None
    assert {name: decoded[name] for name in posted if name != "PfromX"} == {
        name: value for name, value in posted.items() if name != "PfromX"
    }


@pytest.mark.parametrize(
    ("role", "label"),
    [
        (3, "3_Consumption"),
        (5, "5_GridImportExport"),
        (7, "7_Battery"),
        (8, "8_MostlyZeroes"),
        (9, "9_PVProduction"),
        (2, "2_UnrecognisedRecType"),
    ],
)
def test_meters_are_published_by_their_role(role: int, label: str) -> None:
    [line] = parse(format_record(0x0022, 0x73123D96, {"dateTime": 1, "recType": role})).lines
    assert list(line) == ["inverters", "optimizers", "events", "meters_0x0022"]
    assert list(line["meters_0x0022"]["73123D96"]) == [label]


def test_batteries_are_published_by_their_name() -> None:
    values = {"dateTime": 1, "batteryId": "7E1BATT", "Vdc": 51.5, "HexConst_52": "64 00 01 ff"}
    values |= {"BattChargingStatus": 3, "TotalEnergyIn": 123456, "EOut": 7}
    [line] = parse(format_record(0x0030, 0x7E1A0823, values)).lines
    [battery] = line["batteries_0x0030"]["7E1A0823"].values()
    assert list(line["batteries_0x0030"]["7E1A0823"]) == ["7E1BATT"]
    assert {name: battery[name] for name in values} == values
    assert battery["Idc"] is None
    assert (battery["seType"], battery["devLen"]) == ("0x0030", 86)
    assert battery["devType"] == "batteries_0x0030"


def test_a_battery_without_a_name_is_published_all_the_same() -> None:
    [line] = parse(format_record(0x0030, 1, {"dateTime": 1})).lines
    assert list(line["batteries_0x0030"]["1"]) == ["unnamed"]


def test_sleep_and_wake_events() -> None:
    moment = 1446346358
    values = {"dateTime": moment, "Type": 0, "Event1": moment, "Event2": moment - 28800}
    decoded = record(format_record(0x0300, 1, values | {"Event3": 1}), "America/Los_Angeles")
    assert decoded["Event1"] == "Sat Oct 31 19:52:38 2015"
    assert decoded["Event2"] == "Sat Oct 31 18:52:38 2015"
    assert (decoded["Event3"], decoded["Event4"]) == (1, None)
    values = {"dateTime": moment, "Type": 1, "Event1": moment, "Event2": 0xFFFF8F80}
    decoded = record(format_record(0x0300, 1, values | {"Event3": moment}), "America/Los_Angeles")
    assert (decoded["Event1"], decoded["Event2"]) == ("Sat Oct 31 19:52:38 2015", -28800)
    assert decoded["Event3"] == "Sat Oct 31 19:52:38 2015"
    assert decoded["ID"] == "1"
    decoded = record(format_record(0x0300, 1, {"dateTime": moment, "Type": 1}))
    assert (decoded["Event1"], decoded["Event2"], decoded["Event3"]) == (None, None, None)


@pytest.mark.parametrize("kind", [7, 114, 118])
def test_other_events_are_plain_numbers(kind: int) -> None:
    values = {"dateTime": 1, "Type": kind, "Event1": 0xFFFFFFFF, "Event2": 1, "Event3": 1453617080}
    decoded = record(format_record(0x0300, 1, values))
    assert {name: decoded[name] for name in values} == values


def test_unknown_types_are_shown_in_hex() -> None:
    decoded = record(capture(0x0042)[0])
    assert decoded["seType"] == "0x0042"
    assert decoded["devType"] == "Unknown_device_0x0042"
    assert (decoded["seId"], decoded["devLen"]) == ("BE040526", 35)
    assert decoded["Undeciphered_data"] == (
        "05 03 00 00 00 00 00 02 01 00 00 00 00 04 01 00 | 00 00 00 06 01 00 00 00 00 09 01 00 00"
        " 00 00"
    )
    assert parse_hex(decoded["Undeciphered_data"]) == capture(0x0042)[0][12:]


def test_an_unknown_record_without_room_for_a_time_keeps_its_bytes() -> None:
    decoded = record(bytes.fromhex("1700 78563412 0300 aabbcc"))
    assert (decoded["dateTime"], decoded["Date"]) == (None, None)
    assert decoded["Undeciphered_data"] == "aa bb cc"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"0x{table.number:04x}")
def test_a_short_record_gives_the_fields_that_it_has(table: Table) -> None:
    whole = format_record(table.number, 1, {"dateTime": 77, "recType": 5, "batteryId": "B"})
    complete = record(whole)
    for size in range(table.size):
        raw = whole[:6] + struct.pack("<H", size) + whole[8 : 8 + size]
        decoded = record(raw)
        if size >= 4:
            assert decoded["dateTime"] == 77
            assert decoded["Time"] == "00:01:17"
        assert set(decoded) <= set(complete)
        for name in set(decoded) - {"devLen", "dateTime", "Date", "Time"}:
            assert decoded[name] == complete[name]


def test_records_of_104_bytes_have_all_published_fields() -> None:
    raw = bytearray(capture(0x0010)[0][: 8 + 104])
    raw[6] = 104
    assert record(bytes(raw)) == record(capture(0x0010)[0])


def test_a_longer_record_is_read_as_far_as_it_is_known() -> None:
    raw = capture(0x0080)[0]
    longer = raw[:6] + struct.pack("<H", 20) + raw[8:] + bytes(7)
    assert record(longer) == record(raw)


def test_not_reported_is_null_in_any_field() -> None:
    values = record(format_record(0x0000, 1, {}))
    assert values.pop("ID") == "1"
    assert set(values.values()) == {None}


def test_a_word_of_bit_fields_is_never_taken_for_not_reported() -> None:
    raw = bytearray(capture(0x0080)[0])
    raw[8 + 6 : 8 + 10] = NOT_REPORTED
    assert record(bytes(raw))["Vmod"] == 0x3FF / 8


def test_the_extra_bit_of_an_id_is_cleared() -> None:
    values = {"dateTime": 1, "Inverter": "7F901234"}
    decoded = record(format_record(0x0000, 0x10905678, values))
    assert (decoded["ID"], decoded["Inverter"]) == ("10105678", "7F101234")


def test_no_inverter_is_zero() -> None:
    assert record(format_record(0x0000, 1, {"dateTime": 1, "Inverter": 0}))["Inverter"] == 0


def test_a_message_has_one_line_with_all_devices() -> None:
    payload = b"".join(capture(number)[0] for number in (0x0010, 0x0080, 0x0022, 0x0300, 0x0040))
    telemetry = parse(payload)
    [line] = telemetry.lines
    assert list(line) == [
        "inverters",
        "optimizers",
        "events",
        "meters_0x0022",
        "Unknown_device_0x0040",
    ]
    assert telemetry.types == [0x0010, 0x0080, 0x0022, 0x0300, 0x0040]


def test_a_device_that_occurs_twice_gives_two_lines() -> None:
    meters = [format_record(0x0022, 5, {"dateTime": n, "recType": n}) for n in (3, 5, 3)]
    first, second, third = (
        format_record(0x0080, 1, {"dateTime": n, "Vmod": n}) for n in (10, 20, 30)
    )
    other = format_record(0x0080, 2, {"dateTime": 10})
    lines = parse(first + second + other + b"".join(meters) + third).lines
    assert [line["optimizers"].get("1", {}).get("Vmod") for line in lines] == [10, 20, 30]
    assert ["2" in line["optimizers"] for line in lines] == [True, False, False]
    assert [list(line.get("meters_0x0022", {}).get("5", {})) for line in lines] == [
        ["3_Consumption", "5_GridImportExport"],
        ["3_Consumption"],
        [],
    ]
    assert all(list(line)[:3] == ["inverters", "optimizers", "events"] for line in lines)


def test_no_records_give_no_line() -> None:
    assert parse(b"") == Telemetry([], [], [])


def test_a_record_that_is_cut_short_is_named_and_hides_nothing() -> None:
    good = capture(0x0080)[0]
    telemetry = parse(good + capture(0x0000)[0][:20])
    assert telemetry.problems == ["record 0x0000 of 1016AB88 has 12 of its 36 bytes"]
    assert len(telemetry.lines[0]["optimizers"]) == 2
    assert parse(good + b"\x80\0\1").problems == ["3 bytes behind the last record"]


def test_every_timestamp_is_possible() -> None:
    for time in (0, 2**31, 2**32 - 1):
        decoded = record(format_record(0x0080, 1, {"dateTime": time}))
        assert decoded["dateTime"] == time
        assert decoded["Date"][:4] in ("1970", "2038", "2106")


def test_times_are_local_and_utc_seconds_stand_beside_them() -> None:
    for utc, local in ((1445734799, "02:59:59"), (1445734800, "02:00:00")):
        decoded = record(format_record(0x0080, 1, {"dateTime": utc}), "Europe/Amsterdam")
        assert (decoded["Time"], decoded["dateTime"]) == (local, utc)


@given(st.binary(max_size=400))
def test_no_payload_raises_and_every_line_is_valid_json(payload: bytes) -> None:
    for line in parse(payload).lines:
        json.loads(orjson.dumps(line), parse_constant=pytest.fail)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*RECORD_TYPES, 0x0017, 0x0043]),
            st.integers(0, 5),
            st.binary(max_size=300),
        ),
        max_size=12,
    )
)
def test_every_record_of_any_length_and_contents_is_published(
    records: list[tuple[int, int, bytes]],
) -> None:
    payload = b"".join(
        struct.pack("<HLH", number, device, len(raw)) + raw for number, device, raw in records
    )
    telemetry = parse(payload)
    assert telemetry.types == [number for number, _, _ in records]
    assert telemetry.problems == []
    published = str(telemetry.lines).count("'dateTime'")
    assert published == len(records)


def test_lengths_without_end_do_not_fill_the_memory() -> None:
    table = RECORD_TYPES[0x0080]
    for size in range(300):
        parse(struct.pack("<HLH", 0x0080, 1, size) + bytes(size))
    assert len(table._layouts) <= 64


@pytest.mark.parametrize("number", [0x0000, 0x0010, 0x0011, 0x0022, 0x0080, 0x0082])
@given(data=st.data())
def test_decode_is_the_inverse_of_encode(number: int, data: st.DataObject) -> None:
    table = RECORD_TYPES[number]
    values: dict[str, Any] = {"dateTime": data.draw(st.integers(1, 2**32 - 1))}
    for field in table.fields:
        kind = field.kind
        if not field.name or not kind.bits or field.name == "dateTime":
            continue
        if kind.denominator:
            limit = 2 ** (kind.bits - (kind.code == "b"))
            low = -limit if kind.code == "b" else 0
            values[field.name] = data.draw(st.integers(low, limit - 1)) / kind.denominator
        elif kind.code == "f":
            values[field.name] = data.draw(st.floats(0, 1e6, width=32))
        elif kind.code in ("L", "H") and kind.decode is None:
            values[field.name] = data.draw(st.integers(0, 2**kind.bits - 1))
    decoded = record(format_telemetry([(number, 1, values)]))
    for name, value in values.items():
        assert decoded[name] == (None if value == 0xFF7FFFFF else value)


def test_hex_groups_have_sixteen_bytes() -> None:
    assert format_hex(bytes(range(17))) == "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f | 10"
    assert RECORD_TYPES.get(0x0043) is None
    assert REST.encode is not None and REST.encode("01 | 02") == b"\1\2"

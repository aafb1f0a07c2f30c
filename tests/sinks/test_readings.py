"""Lines to readings, and readings to the state: what is read, dropped, complained about."""

import itertools
import json
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.sinks.readings import Reading, flatten, moment, parse_line
from se.sinks.state import State

NOON = 1446289200  # 2015-10-31 11:00:00 UTC
NOW = NOON + 3600

# as the original program wrote in past years: sorted keys, NaN, raw numbers, no dateTime
OLD_LINE = (
    b'{"events": {}, "inverters": {"7F104920": {"Date": "2015-10-31", "Eac": 12.5, "Etot": NaN, '
    b'"ID": "7F104920", "Pac": -3.4028234663852886e+38, "Pmax": 4286578687, "Temp": -Infinity, '
    b'"Time": "12:00:00", "Vac": 241.25}}, "optimizers": {"104A2B3C": {"Date": "2015-10-31", '
    b'"Eday": 1034.25, "ID": "104A2B3C", "Inverter": "7F104920", "Time": "12:00:02"}}}'
)


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_line_of_today_gives_its_readings():
    line = {
        "inverters": {"7F1": {"Pac": 1.5}},
        "optimizers": {},
        "events": {"7F1": {"Type": 0}},
        "meters_0x0022": {"30": {"3_Consumption": {"E2X": 1}, "9_PVProduction": {"E2X": 2}}},
        "batteries_0x0030": {"31": {"T1": {"Vdc": 2.0}}},
        "Unknown_device_0x0017": {"32": {"Undeciphered_data": "00 01"}},
    }
    readings, problems = flatten(parse_line(orjson.dumps(line)))
    assert problems == []
    assert readings == [
        Reading("inverters", ("7F1",), {"Pac": 1.5}),
        Reading("events", ("7F1",), {"Type": 0}),
        Reading("meters_0x0022", ("30", "3_Consumption"), {"E2X": 1}),
        Reading("meters_0x0022", ("30", "9_PVProduction"), {"E2X": 2}),
        Reading("batteries_0x0030", ("31", "T1"), {"Vdc": 2.0}),
        Reading("Unknown_device_0x0017", ("32",), {"Undeciphered_data": "00 01"}),
    ]


def test_a_line_of_the_original_program_is_read_with_null_for_what_was_not_reported():
    readings, problems = flatten(parse_line(OLD_LINE))
    assert problems == []
    inverter, optimizer = (reading.fields for reading in readings)
    assert [inverter[name] for name in ("Etot", "Pac", "Pmax", "Temp")] == [None] * 4
    assert (inverter["Eac"], inverter["Vac"], optimizer["Eday"]) == (12.5, 241.25, 1034.25)


def test_an_answer_of_a_command_is_no_telemetry():
    answer = b'{"command": 18, "response": 144, "sequence": 1, "data": {"value": 3, "type": 0}}'
    assert flatten(parse_line(answer)) == ([], [])


def test_nul_characters_are_dropped_and_escaped_backslashes_are_not_taken_for_them():
    line = rb'{"T1\u0000\u0000": "a\u0000b", "c": "\\u0000", "d": "\\\u0000"}'
    assert parse_line(line) == {"T1": "ab", "c": r"\u0000", "d": "\\"}


def test_nan_and_infinity_are_null_but_not_within_a_text():
    line = rb'{"NaN": NaN, "b": [-Infinity,Infinity], "c": "\"NaN, -Infinity", "d": "\\"}'
    assert parse_line(line) == {
        "NaN": None,
        "b": [None, None],
        "c": '"NaN, -Infinity',
        "d": "\\",
    }


def test_a_byte_order_mark_is_no_damage():
    assert parse_line(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"garbage", "no JSON: "),
        (b'{"inverters": {"7F1', "no JSON: "),
        (b'{"inverters": NaN, {"7F1', "no JSON: "),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"NaN", "no JSON object"),
        (b"17", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b'{"a": 1} {"b": 2}', "no JSON: "),
        (b'{"a": "\xff"}', "no JSON: "),
        (b'{"a": "\\ud800"}', "no JSON: "),
        (b'{"a": 1e999}', "no JSON: "),
        (b"[" * 100_000, "no JSON: "),
    ],
)
def test_a_damaged_line_is_refused_saying_why(line, complaint):
    with pytest.raises(ValueError) as caught:
        parse_line(line)
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"inverters": None}, "inverters is no JSON object"),
        ({"inverters": 5}, "inverters is no JSON object"),
        ({"inverters": [{"Pac": 1}]}, "inverters is no JSON object"),
        ({"inverters": {"Pac": 5}}, "inverters.Pac is no JSON object"),
        ({"meters_0x0022": {"30": {"E2X": 1}}}, "meters_0x0022.30.E2X is no JSON object"),
        ({"../../etc/passwd": {"1": {"a": 1}}}, "'../../etc/passwd' is no device type"),
        ({"": {"1": {"a": 1}}}, "'' is no device type"),
        ({"x" * 65: {}}, f"'{'x' * 64}' is no device type"),
    ],
)
def test_another_shape_is_a_problem_and_does_not_hide_the_rest(data, problem):
    good = {"optimizers": {"1": {"Vmod": 1.0}}}
    assert flatten({**data, **good}) == ([Reading("optimizers", ("1",), {"Vmod": 1.0})], [problem])


def test_an_object_or_array_among_the_values_is_a_problem_and_the_values_stay():
    data = {"inverters": {"7F1": {"a": {"b": 1}, "c": 2, "d": [3], "e": 4286578687}}}
    assert flatten(data) == (
        [Reading("inverters", ("7F1",), {"c": 2, "e": None})],
        ["inverters.7F1.a is no value", "inverters.7F1.d is no value"],
    )


def test_a_device_without_any_field_is_no_reading():
    assert flatten({"inverters": {"7F1": {}}}) == ([], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["inverters", "events", "meters_0x0022", "7F1", "ID", "dateTime"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_json_comes_is_read_or_refused(data):
    try:
        readings, _ = flatten(parse_line(json.dumps(data).encode()))
    except ValueError:
        return
    state = State()
    for reading in readings:
        state.update(reading, NOW)
        assert all(isinstance(v, (int, float, str, type(None))) for v in reading.fields.values())
        when = moment(reading.fields)
        assert when is None or 0 < when < 1 << 32
    assert flatten(parse_line(orjson.dumps(state.nested()))).problems == []


@given(st.binary(max_size=60))
def test_whatever_bytes_come_are_read_or_refused(line):
    try:
        flatten(parse_line(line))
    except ValueError as error:
        assert str(error).startswith("no JSON")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"dateTime": NOON}, NOON),
        ({"dateTime": float(NOON), "Date": "2001-01-01", "Time": "00:00:00"}, NOON),
        ({"dateTime": str(NOON), "Date": "2001-01-01", "Time": "00:00:00"}, NOON),
        ({"dateTime": "9" * 5000}, None),
        ({"Date": "2015-10-31", "Time": "12:00:00"}, NOON),
        ({"dateTime": None, "Date": "2015-10-31", "Time": "12:00:00"}, NOON),
        ({"Date": "2015-07-01", "Time": "12:00:00"}, 1435744800),
        ({"dateTime": "soon", "Date": "2015-10-31", "Time": None}, None),
        ({"Date": "2015-10-31"}, None),
        ({"Date": "31.10.2015", "Time": "12:00:00"}, None),
        ({"Date": "1960-10-31", "Time": "12:00:00"}, None),
        ({"Date": "0001-01-01", "Time": "00:00:00"}, None),
        ({"dateTime": 0}, None),
        ({"dateTime": -1}, None),
        ({"dateTime": 1 << 32}, None),
        ({"dateTime": 1e300}, None),
        ({}, None),
    ],
)
def test_the_moment_is_date_time_or_else_date_and_time_of_the_machine(fields, expected, berlin):
    assert moment(fields) == expected


def inverter(at, name="7F1", **fields):
    return Reading("inverters", (name,), {"dateTime": at, "Eac": 1.0, "Pac": 2.0, **fields})


def optimizer(at, name="104A", **fields):
    fields = {"Inverter": 0, "Vmod": 3.0, "Vopt": 4.0, "Imod": 5.0, "Eday": 6.0, **fields}
    return Reading("optimizers", (name,), {"dateTime": at, **fields})


def event(at, name="7F1"):
    return Reading("events", (name,), {"dateTime": at, "Type": 0})


def state_of(*readings, now=NOW):
    state = State()
    for reading in readings:
        state.update(reading, now)
    return state.nested()


def test_the_state_holds_the_last_values_of_every_device():
    battery = Reading("batteries_0x0030", ("30", "T1"), {"dateTime": NOON, "Vdc": 1.0})
    meter = Reading("meters_0x0022", ("30", "3_Consumption"), {"dateTime": NOON, "E2X": 7})
    unknown = Reading("Unknown_device_0x0017", ("30",), {"dateTime": NOON})
    state = state_of(
        inverter(NOON), inverter(NOON + 60, Pac=9.0), optimizer(NOON), battery, meter, unknown
    )
    assert state == {
        "inverters": {"7F1": inverter(NOON + 60, Pac=9.0).fields},
        "optimizers": {"104A": optimizer(NOON).fields},
        "batteries_0x0030": {"30": {"T1": battery.fields}},
        "meters_0x0022": {"30": {"3_Consumption": meter.fields}},
    }


def test_an_empty_state_names_inverters_and_optimizers():
    assert state_of() == {"inverters": {}, "optimizers": {}}


def test_older_data_that_arrive_late_never_overwrite_newer_ones():
    state = State()
    assert state.update(inverter(NOON, Pac=9.0), NOW)
    assert not state.update(inverter(NOON - 60), NOW)
    assert state.update(inverter(NOON, Pac=8.0), NOW)
    assert state.nested()["inverters"]["7F1"]["Pac"] == 8.0


def test_old_lines_without_date_time_are_compared_by_date_and_time():
    late, early = (
        Reading("inverters", ("7F1",), {"Date": "2015-10-31", "Time": t, "Pac": 1})
        for t in ("12:00:01", "12:00:00")
    )
    assert state_of(late, early)["inverters"]["7F1"] == late.fields


def test_a_time_in_the_future_does_not_keep_later_readings_out():
    good = inverter(NOON, Pac=9.0)
    assert state_of(inverter(NOW + 90_000), good)["inverters"]["7F1"] == good.fields


def test_a_clock_that_is_behind_changes_nothing():
    behind = NOON - 10 * 86400
    readings = [event(NOON), inverter(NOON + 60), optimizer(NOON + 60), inverter(NOON + 30)]
    assert state_of(*readings, now=behind) == state_of(*readings)
    assert state_of(*readings)["inverters"]["7F1"] == inverter(NOON + 60).fields
    asleep = state_of(inverter(NOON), event(NOON + 60), now=behind)
    assert asleep["inverters"]["7F1"]["Pac"] == 0


@pytest.mark.parametrize("at", [None, NOW + 90_000])
def test_an_event_whose_time_cannot_be_believed_changes_nothing(at):
    known = [inverter(NOON), event(NOON - 60)]
    assert state_of(*known, event(at)) == state_of(*known)
    assert state_of(known[1], event(at)) == state_of(known[1])


def test_an_event_in_the_future_does_not_put_a_later_reading_to_rest():
    state = state_of(event(NOW + 90_000), inverter(NOON))
    assert state["inverters"]["7F1"]["Pac"] == 2.0


def test_an_event_in_the_second_of_a_reading_does_not_touch_it():
    for readings in itertools.permutations([inverter(NOON), event(NOON)]):
        assert state_of(*readings)["inverters"]["7F1"]["Pac"] == 2.0


def test_a_reading_without_a_time_counts_as_the_last_one():
    timeless = Reading("inverters", ("7F1",), {"Pac": 9.0})
    assert state_of(inverter(NOON), timeless)["inverters"]["7F1"] == {"Pac": 9.0}
    assert state_of(timeless, inverter(NOON))["inverters"]["7F1"] == inverter(NOON).fields


def test_an_event_ends_the_momentary_values_of_its_inverter_and_keeps_the_others():
    phases = {"Pac1": 1.0, "Pac2": 2.0, "Pac3": None, "Iac": 3.0, "Iac1": 1.0, "Vac1": 230.0}
    fields = state_of(inverter(NOON, **phases, Eday=50.0), event(NOON + 1))["inverters"]["7F1"]
    assert fields == {
        **dict.fromkeys(["Eac", "Pac", "Pac1", "Pac2", "Pac3", "Iac", "Iac1"], 0),
        "dateTime": NOON,
        "Vac1": 230.0,
        "Eday": 50.0,
    }


def test_an_event_touches_the_optimizers_that_name_its_inverter():
    state = state_of(
        inverter(NOON),
        inverter(NOON, "7F2"),
        optimizer(NOON, "A", Inverter="7F1"),
        optimizer(NOON, "B", Inverter="7F2"),
        optimizer(NOON, "C"),
        event(NOON + 1),
    )
    assert state["inverters"]["7F2"]["Pac"] == 2.0
    assert {name: fields["Vmod"] for name, fields in state["optimizers"].items()} == {
        "A": 0,
        "B": 3.0,
        "C": 3.0,
    }
    assert state["optimizers"]["A"]["Eday"] == 6.0


@pytest.mark.parametrize("nobody", [0, "0", None, ""])
def test_optimizers_that_name_no_inverter_go_with_the_only_one(nobody):
    state = state_of(inverter(NOON), optimizer(NOON, Inverter=nobody), event(NOON + 1))
    assert [state["optimizers"]["104A"][name] for name in ("Vmod", "Vopt", "Imod")] == [0, 0, 0]


def test_another_inverter_known_from_an_optimizer_makes_two():
    state = state_of(
        inverter(NOON), optimizer(NOON, "A", Inverter="7F2"), optimizer(NOON, "B"), event(NOON + 1)
    )
    assert state["optimizers"]["B"]["Vmod"] == 3.0


def test_an_event_older_than_a_reading_does_not_touch_it():
    state = state_of(inverter(NOON), optimizer(NOON), event(NOON - 1))
    assert state["inverters"]["7F1"]["Pac"] == 2.0
    assert state["optimizers"]["104A"]["Vmod"] == 3.0


def test_a_reading_from_before_the_event_that_arrives_after_it_does_not_wake_the_inverter():
    state = state_of(inverter(NOON - 60), event(NOON), inverter(NOON - 30, Eday=51.0))
    assert state["inverters"]["7F1"]["Pac"] == 0
    assert state["inverters"]["7F1"]["Eday"] == 51.0


def test_a_reading_after_the_event_counts_again():
    state = state_of(inverter(NOON), event(NOON + 1), inverter(NOON + 2))
    assert state["inverters"]["7F1"]["Pac"] == 2.0


def test_the_state_goes_on_from_its_own_output():
    state = State(flatten(state_of(inverter(NOON), event(NOON + 60))).readings)
    assert not state.update(inverter(NOON - 1), NOW)
    state.update(inverter(NOON + 30, Eday=3.0), NOW)
    assert state.nested()["inverters"]["7F1"] == inverter(NOON + 30, Eday=3.0, Pac=0, Eac=0).fields


def test_updating_the_state_leaves_the_reading_as_it_is():
    reading = inverter(NOON)
    state_of(reading, event(NOON + 1))
    assert reading.fields["Pac"] == 2.0


def test_the_state_does_not_depend_on_the_order_in_which_data_arrive():
    readings = [
        inverter(NOON),
        inverter(NOON + 10, Eday=2.0),
        event(NOON + 5),
        event(NOON + 20),
        optimizer(NOON + 15, Inverter="7F1"),
    ]
    expected = state_of(*readings)
    for order in itertools.permutations(readings):
        assert state_of(*order) == expected

"""What the tables say about groups and fields: whole, and the same in all tables of a group."""

from __future__ import annotations

import pytest

from se.records.field import F32, TIME, Field, Nature
from se.records.groups import group, known_groups
from se.records.table import Table
from se.records.unknown import unknown_table
from se.sinks.readings import Reading, flatten
from se.wire.framer import Framer
from se.wire.message import Message
from tests.captures import FOLDER
from tests.support.records import TABLES, more_record_types, parse

TOTALS = (Nature.TOTAL, Nature.DAY_TOTAL, Nature.INTERVAL_TOTAL)
INVERTERS = "Eac Iac Pac Iac1 Iac2 Iac3 Pac1 Pac2 Pac3"


@pytest.mark.parametrize(
    ("name", "depth", "id_key", "momentary"),
    [
        ("inverters", 1, "ID", INVERTERS),
        ("optimizers", 1, "ID", "Vmod Vopt Imod"),
        ("events", 1, "ID", ""),
        ("meters_0x0022", 2, "seId", ""),
        ("batteries_0x0030", 2, "seId", ""),
    ],
)
def test_each_group_is_known(name: str, depth: int, id_key: str, momentary: str) -> None:
    known = group(name)
    assert (known.depth, known.in_state, known.id_key) == (depth, True, id_key)
    assert sorted(known.momentary) == sorted(momentary.split())
    assert known.columns == tuple(table.keys for table in TABLES if table.group == name)
    assert set(known.fields) == {field for columns in known.columns for field in columns}


def test_every_group_of_the_tables_is_known() -> None:
    assert set(known_groups()) == {table.group for table in TABLES}


@pytest.mark.parametrize("name", ["Unknown_device_0x0017", "wallboxes"])
def test_a_group_without_table_is_that_of_an_unknown_record_type(name: str) -> None:
    known = group(name)
    assert (known.depth, known.in_state, known.id_key) == (1, False, "seId")
    assert known.columns == (unknown_table(0x0017).keys,)
    assert not known.momentary


@pytest.mark.parametrize("name", known_groups())
def test_the_tables_of_a_group_agree(name: str) -> None:
    tables = [table for table in TABLES if table.group == name]
    assert len({(table.depth, table.in_state, table.id_key) for table in tables}) == 1
    known = group(name)
    for table in tables:
        for field in table.published:
            same = known.fields[field.name]
            assert (same.unit, same.nature, same.momentary) == field[2:3] + field[4:]


@pytest.mark.parametrize("table", [*TABLES, unknown_table(0)], ids=lambda table: table.title)
def test_texts_and_bytes_are_no_values(table: Table) -> None:
    for field in table.published:
        if field.kind.code.endswith("s"):
            assert field.nature in (Nature.IDENTIFIER, Nature.HOUSEKEEPING), field.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_totals_are_energies_in_watt_hours(table: Table) -> None:
    for field in table.published:
        if field.nature in TOTALS:
            assert field.unit == "Wh", field.name


def test_a_field_is_what_its_own_group_says_and_else_what_other_groups_say() -> None:
    odd = Table(0x0099, "odd", "odd", [TIME, Field("Vdc", F32, "", "", Nature.HOUSEKEEPING)])
    with more_record_types(odd):
        assert "Vdc" in group("odd").descriptive
        assert "Vdc" not in group("inverters").descriptive
        others = {"Date", "ID", "seId", "Inverter", "recType", "HexConst_52", "Undeciphered_data"}
        assert others < group("odd").descriptive


def test_what_falls_in_a_simulated_day_is_no_total() -> None:
    framer = Framer()
    framer.feed((FOLDER / "site.dat").read_bytes())
    readings: list[Reading] = []
    while isinstance(message := framer.next_event(), Message):
        readings += [
            reading for line in parse(message.payload).lines for reading in flatten(line)[0]
        ]
    before: dict[tuple[str, ...], float] = {}
    natures = set()
    for reading in readings:
        fields = group(reading.device_type).fields
        for name, value in reading.fields.items():
            path = (*reading.path, name)
            if fields[name].nature in TOTALS and value is not None:
                if value < before.get(path, 0):
                    natures.add(fields[name].nature)
                before[path] = value
    assert natures == {Nature.INTERVAL_TOTAL}
    assert {"Eac", "Etot", "Eday", "TotalE2Grid", "EIn"} <= {path[-1] for path in before}

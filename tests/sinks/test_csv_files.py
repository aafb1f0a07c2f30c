"""CSV files: the same columns every day, nothing lost, nothing overwritten by accident."""

import csv
import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.errors import OutputError
from se.files.write import replace_file
from se.records import RECORD_TYPES
from se.sinks import csv_files
from se.sinks.csv_files import CsvFiles, columns_with
from se.sinks.readings import Reading

ONE, THREE = RECORD_TYPES[0x0010].keys, RECORD_TYPES[0x0011].keys
BOTH = tuple(dict.fromkeys(ONE + THREE))


def reading(device_type="inverters", name="7F1", **fields):
    return Reading(
        device_type, (name,), {"Date": "2015-10-31", "Time": "12:00:00", "ID": name, **fields}
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*readings, prefix="day", delimiter=",", header=True, append=False, **names):
    form = {"delimiter": delimiter, "header": header, "append": append}
    with CsvFiles("in.json", prefix, names=names, **form) as files:
        files.write(readings)


def rows(path, delimiter=","):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def table(path, delimiter=","):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, strict=True))


def test_each_device_type_has_its_file_and_all_columns_of_its_table(folder):
    meter = Reading("meters_0x0022", ("30", "3_Consumption"), {"seId": "30", "E2X": 1})
    write(reading(Vac=230.5), reading("optimizers", "104A", Vmod=1.125), meter)
    assert sorted(path.name for path in folder.iterdir()) == [
        "day.inverters.csv",
        "day.meters_0x0022.csv",
        "day.optimizers.csv",
    ]
    assert rows("day.inverters.csv")[0] == list(ONE)
    assert rows("day.optimizers.csv")[0][:4] == ["Date", "Time", "ID", "Inverter"]
    assert rows("day.meters_0x0022.csv")[0] == list(RECORD_TYPES[0x0022].keys)


@pytest.mark.parametrize("order", list(itertools.permutations([{"Vac": 1.5}, {"Vac1": 2.5}])))
def test_a_site_with_both_kinds_of_inverters_has_the_columns_of_both(folder, order):
    write(*(reading(name=str(count), **fields) for count, fields in enumerate(order)))
    first, second = table("day.inverters.csv")
    assert tuple(first) == BOTH
    assert [first["ID"], second["ID"]] == ["0", "1"]
    assert {first["Vac"], first["Vac1"], second["Vac"], second["Vac1"]} == {"", "1.5", "2.5"}


def test_the_second_kind_rewrites_the_file_once(folder, monkeypatch):
    count = []

    def counted(path):
        count.append(path)
        return replace_file(path)

    monkeypatch.setattr(csv_files, "replace_file", counted)
    write(*[reading(Vac=1.5), reading(Vac1=2.5)] * 50)
    assert count == ["day.inverters.csv"]
    assert len(table("day.inverters.csv")) == 100


def test_fields_that_no_table_knows_become_further_columns(folder):
    write(reading(Vac=1.5), reading(Vac=2.5, data31=7, extra="x"))
    first, second = table("day.inverters.csv")
    assert tuple(first) == (*ONE, "data31", "extra")
    assert (first["data31"], second["data31"], second["extra"]) == ("", "7", "x")


def test_an_unknown_device_has_its_columns_in_the_same_order_whatever_the_line_has(folder):
    fields = {"Undeciphered_data": "00 01", "devLen": 5, "Time": "12:00:00", "Date": "2015-10-31"}
    write(Reading("Unknown_device_0x0017", ("30",), fields))
    (row,) = table("day.Unknown_device_0x0017.csv")
    assert list(row)[:4] == ["Date", "Time", "seType", "seId"]
    assert (row["seId"], row["Undeciphered_data"]) == ("30", "00 01")


def test_a_row_names_its_device_even_if_the_fields_do_not(folder):
    write(Reading("optimizers", ("104A",), {"Vmod": 1.0}))
    assert table("day.optimizers.csv")[0]["ID"] == "104A"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "7", "§"])
def test_values_come_back_as_they_were_with_any_delimiter(folder, delimiter):
    values = {"Vac": 0.1 + 0.2, "Eday": 1e-7, "Etot": 4294967295, "Pac": None, "Iac": -0.0}
    write(reading(**values, name='a "quoted",;\t\nname 7'), delimiter=delimiter)
    (row,) = table("day.inverters.csv", delimiter)
    assert row["ID"] == 'a "quoted",;\t\nname 7'
    assert {name: float(row[name]) if row[name] else None for name in values} == values


def test_a_header_is_written_only_when_asked_for(folder):
    write(reading(Vac=1.5), header=False)
    assert [row[0] for row in rows("day.inverters.csv")] == ["2015-10-31"]


def test_without_append_the_file_is_begun_anew(folder):
    write(reading(), reading())
    write(reading())
    assert len(table("day.inverters.csv")) == 1


@pytest.mark.parametrize("content", [None, ""])
def test_appending_to_a_new_or_empty_file_writes_the_header_and_never_twice(folder, content):
    if content is not None:
        (folder / "day.inverters.csv").write_text(content)
    write(reading(Vac=1.5), append=True)
    write(reading(Vac=2.5), append=True)
    assert [row["Vac"] for row in table("day.inverters.csv")] == ["1.5", "2.5"]


def test_appending_follows_the_columns_of_the_file(folder):
    path = folder / "day.inverters.csv"
    path.write_text("\ufeffID,Vac,Date,Time\n7F1,1.5,2015-10-30,12:00:00\n")
    write(reading(Vac=2.5), append=True)
    first = path.read_text()
    assert first.splitlines()[-1] == "7F1,2.5,2015-10-31,12:00:00"
    write(reading(Vac=3.5, Pac=9), append=True, header=False)
    assert rows(path)[0][:4] == ["ID", "Vac", "Date", "Time"]
    assert set(rows(path)[0]) == set(ONE)
    assert [(row["Vac"], row["Pac"]) for row in table(path)] == [
        ("1.5", ""),
        ("2.5", ""),
        ("3.5", "9"),
    ]


def test_a_file_of_yesterdays_columns_grows_into_what_a_new_file_has(folder):
    old = "Date,Time,ID,Uptime,Interval,Temp,Eday,Eac,Vac,Iac,Freq,Vdc,Etot,Pmax,Pac"
    (folder / "day.inverters.csv").write_text(f"{old}\n{',' * 14}\n")
    write(reading(Vac=1.5, Qac=2.5), append=True)
    assert tuple(rows("day.inverters.csv")[0]) == ONE


@pytest.mark.parametrize("kind", [{"Vac": 1.5}, {"Vac1": 1.5}, {"Vac": 1.5, "data31": 7}])
def test_appending_to_a_file_without_header_works_by_the_number_of_cells(folder, kind):
    write(reading(**kind), header=False)
    write(reading(**kind), header=True, append=True)
    first, second = rows("day.inverters.csv")
    assert first == second


def test_a_file_without_header_takes_the_second_kind_too(folder):
    write(reading(Vac=1.5), header=False)
    write(reading(Vac1=2.5), header=False, append=True)
    write(reading(Vac=3.5), header=False, append=True)
    found = rows("day.inverters.csv")
    assert [len(row) for row in found] == [len(BOTH)] * 3
    vac, vac1 = BOTH.index("Vac"), BOTH.index("Vac1")
    assert [(row[vac], row[vac1]) for row in found] == [("1.5", ""), ("", "2.5"), ("3.5", "")]


@pytest.mark.parametrize(
    "content",
    [
        b'{"inverters": {}}\n',
        b"\n",
        b"a,b,c\n1,2,3\n",
        b"2015-10-31,12:00:00,7F1\n",
        b"Date;Time;ID\n2015-10-31;12:00:00;7F1\n",
        b"Date,Time,Date\n",
        b"\xff\xfe\x00binary",
        b'"never ends' + b"x" * (1 << 24),
    ],
)
def test_a_file_that_is_no_such_csv_is_an_error_and_stays(folder, content):
    path = folder / "day.inverters.csv"
    path.write_bytes(content)
    with pytest.raises(OutputError, match=r"day\.inverters\.csv: is no CSV file") as caught:
        write(reading(Vac=1.5), append=True)
    assert "nothing appended" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_file_with_too_long_rows_is_not_touched(folder):
    path = folder / "day.inverters.csv"
    path.write_text("Date,Time,ID\n1,2,3,4,5\n")
    with pytest.raises(OutputError, match="rows of more cells than columns"):
        write(reading(), reading(Vac=1.5), append=True)
    assert path.read_text() == "Date,Time,ID\n1,2,3,4,5\n"
    assert [entry.name for entry in folder.iterdir()] == ["day.inverters.csv"]


def test_a_row_that_a_crash_cut_short_is_ended_first(folder):
    path = folder / "day.inverters.csv"
    path.write_text("Date,Time,ID\n2015-10-3")
    write(reading(), append=True)
    assert path.read_text() == "Date,Time,ID\n2015-10-3\n2015-10-31,12:00:00,7F1\n"


def test_the_deprecated_names_are_used_for_their_types(folder):
    write(reading(), reading("optimizers"), inverters="inv.csv", prefix="")
    assert {path.name for path in folder.iterdir()} == {"inv.csv", "optimizers.csv"}


@pytest.mark.parametrize(
    "name", ["day.inverters.csv", "day.batteries_0x0030.csv", "day.Unknown_device_0x0017.csv"]
)
@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_no_file_is_the_input(folder, name, link):
    (folder / "in.json").write_text("{}")
    getattr(folder / name, link)(folder / "in.json")
    with pytest.raises(OutputError, match=rf"{name}: is the same file as in\.json"):
        write(Reading("Unknown_device_0x0017", ("30",), {"seId": "30"}))
    assert (folder / "in.json").read_text() == "{}"
    assert len(list(folder.iterdir())) == 2


def test_no_file_is_that_of_two_device_types(folder):
    with pytest.raises(OutputError, match="is the same file as"):
        write(reading(), inverters="day.optimizers.csv")
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_one_clear_error(folder):
    with pytest.raises(OutputError, match="/dev/full: No space left"):
        write(reading(Vac=1.5), inverters="/dev/full")
    with pytest.raises(OutputError, match="/dev/full: No space left"):
        write(reading(name="x" * 100_000), inverters="/dev/full")


def test_a_file_that_cannot_be_opened_is_one_clear_error(folder):
    with pytest.raises(OutputError, match="No such file"):
        write(reading(), prefix="none/day")
    (folder / "day.inverters.csv").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write(reading(), append=True)


def test_a_file_that_cannot_be_read_for_appending_is_one_clear_error(folder, monkeypatch):
    write(reading())

    def no_reading(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", no_reading)
    with pytest.raises(OutputError, match="Permission denied"):
        write(reading(), append=True)


NAMES = st.sampled_from([*ONE, *THREE, "data31", "x"])


@given(st.lists(st.sets(NAMES, min_size=1), min_size=1, max_size=4))
def test_columns_only_grow_and_hold_every_field(lines):
    columns: tuple[str, ...] = ()
    for line in lines:
        before, fields = columns, dict.fromkeys(line)
        columns = columns_with("inverters", columns, fields)
        assert len(set(columns)) == len(columns)
        assert {*before, *fields} <= set(columns)


def test_rows_are_written_in_blocks_that_are_neither_small_nor_kept_for_long(folder):
    sizes = []
    with CsvFiles("in.json", "day", names={}, delimiter=",", header=True, append=False) as files:
        for _ in range(5000):
            files.write([reading(Vac=230.5)])
            sizes.append(os.path.getsize("day.inverters.csv"))
    row = os.path.getsize("day.inverters.csv") / len(sizes)
    assert max(row * count - size for count, size in enumerate(sizes, 1)) < 1e5  # bytes in memory
    assert len(set(sizes)) < 20  # writes

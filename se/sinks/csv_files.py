"""CSV files: one a device type, `PREFIX.inverters.csv`, with the same columns every day.

Strategy: the columns are those of the record's table, in the table's order, whatever a line holds.
A record with other fields (another kind of inverter, data of past years) adds columns: the file
is then written anew, once, in one step.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping

from se.errors import OutputError
from se.files.names import refuse_same_file
from se.files.write import open_output, replace_file
from se.records.groups import group, known_groups
from se.sinks.readings import Fields, Reading

Columns = tuple[str, ...]

CELL_LIMIT = 1 << 24  # characters; a record of an unknown type may be 200 kB of hex digits
BUFFER = 1 << 16  # characters
_DATE = re.compile(r"\d{4}-\d\d-\d\d$")


class CsvFiles(contextlib.ExitStack):
    """The files of a run, opened when the first record of their device type comes.

    The end of the `with` block closes them. Whatever cannot be written raises OutputError.
    """

    def __init__(
        self,
        source: str | None,
        prefix: str,
        *,
        names: dict[str, str],
        delimiter: str,
        header: bool,
        append: bool,
    ):
        """`source` is the input, which no file may be; `names` are the files of device types
        that do not follow the prefix."""
        super().__init__()
        self._source = source
        self._prefix = f"{prefix}." if prefix else ""
        self._paths: dict[str, str] = {}
        self._name(known_groups(), names)
        self._delimiter = delimiter
        self._header = header
        self._append = append
        self._files: dict[str, _CsvFile] = {}

    def write(self, readings: Iterable[Reading]) -> None:
        """Write the readings of a line."""
        for reading in readings:
            key = group(reading.device_type).id_key
            reading.fields.setdefault(key, ".".join(reading.identifiers))
            file = self._files.get(reading.device_type) or self._open(reading)
            file.write(reading.fields)

    def _name(self, device_types: Iterable[str], names: Mapping[str, str]) -> None:
        """Choose the files of device types, before any is opened. Raises OutputError."""
        for device_type in device_types:
            path = names.get(device_type, f"{self._prefix}{device_type}.csv")
            self._paths[device_type] = path
        refuse_same_file(self._source, *self._paths.values())

    def flush(self) -> None:
        """Let readers see what was written."""
        for file in self._files.values():
            file.flush()

    def _open(self, reading: Reading) -> _CsvFile:
        device_type = reading.device_type
        if device_type not in self._paths:
            self._name([device_type], {})
        file = _CsvFile(self._paths[device_type], device_type, self._delimiter)
        file.open(reading.fields, header=self._header, append=self._append)
        self._files[device_type] = file
        self.callback(file.close)
        return file


class _CsvFile:
    """One file, its columns, and how both grow."""

    def __init__(self, path: str, device_type: str, delimiter: str):
        self._path = path
        self._device_type = device_type
        self._delimiter = delimiter
        self._columns: Columns = ()
        self._known: frozenset[str] = frozenset()

    def open(self, fields: Fields, *, header: bool, append: bool) -> None:
        """Open the file for its first record; `header` goes into a new or empty file only."""
        existing = self._existing_columns(fields) if append else ()
        self._start(existing or columns_with(self._device_type, (), fields), append=append)
        if header and not existing:
            self._write(self._columns)

    def write(self, fields: Fields) -> None:
        if not fields.keys() <= self._known:
            self._extend(columns_with(self._device_type, self._columns, fields))
        self._write(map(fields.get, self._columns))

    def flush(self) -> None:
        rows = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        self._output.write(rows.encode())

    def close(self) -> None:
        with self._output:
            self.flush()

    def _write(self, row: Iterable[object]) -> None:
        self._writer.writerow(row)
        if self._buffer.tell() > BUFFER:
            self.flush()

    def _start(self, columns: Columns, *, append: bool) -> None:
        self._columns = columns
        self._known = frozenset(columns)
        self._output = open_output(self._path, append=append, lines=True)
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, delimiter=self._delimiter, lineterminator="\n")

    def _extend(self, columns: Columns) -> None:
        """Write the file anew with more columns, and go on at its end."""
        self.close()
        with replace_file(self._path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            writer = csv.writer(text, delimiter=self._delimiter, lineterminator="\n")
            for row in self._read_rows():
                if row == list(self._columns):
                    writer.writerow(columns)
                else:
                    cells = dict(zip(self._columns, row, strict=False))
                    writer.writerow(map(cells.get, columns))
            text.flush()
            text.detach()
        self._start(columns, append=True)

    def _existing_columns(self, fields: Fields) -> Columns:
        """The columns of a file to append to, none if it is new or empty. Raises OutputError."""
        if not os.path.isfile(self._path):
            return ()
        rows = self._read_rows()
        first = next(rows, None)
        if first is None:
            return ()
        columns = self._columns_of(first, fields)
        if any(len(row) > len(columns) for row in rows):
            raise OutputError(f"{self._path}: has rows of more cells than columns")
        return columns

    def _columns_of(self, first: list[str], fields: Fields) -> Columns:
        """The columns that the first row of a file names or has. Raises OutputError."""
        if {"Date", "Time"} <= set(first) and len(set(first)) == len(first):
            return tuple(first)
        tables = group(self._device_type).columns
        for columns in (columns_with(self._device_type, (), fields), *tables, _union(tables)):
            if len(columns) == len(first) and _DATE.match(first[0]):
                return columns
        raise OutputError(
            f"{self._path}: is no CSV file of {self._device_type} with this delimiter"
            " and these columns: give it a header line"
        )

    def _read_rows(self) -> Iterator[list[str]]:
        csv.field_size_limit(CELL_LIMIT)
        try:
            with open(self._path, encoding="utf-8-sig", newline="") as text:
                yield from csv.reader(text, delimiter=self._delimiter)
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error
        except (ValueError, csv.Error) as error:
            raise OutputError(f"{self._path}: is no CSV file: {error}") from error


def _union(tables: Iterable[Columns]) -> Columns:
    return tuple(dict.fromkeys(itertools.chain(*tables)))


def columns_with(device_type: str, columns: Columns, fields: Fields) -> Columns:
    """What the columns of a file become with a record that has these fields.

    They are all columns of the record's table, in the order of the tables, then what no table
    knows. Columns that are in another order already stay, and the new ones come behind them.
    """
    tables = group(device_type).columns
    table = max(tables, key=lambda keys: len(fields.keys() & set(keys)))
    wanted = {*columns, *table, *fields}
    ordered = [name for name in _union([*tables, columns, tuple(fields)]) if name in wanted]
    if [name for name in ordered if name in columns] == list(columns):
        return tuple(ordered)
    return _union([columns, tuple(ordered)])

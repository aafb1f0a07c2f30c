"""se2csv.py from its options to its exit code."""

from __future__ import annotations

from typing import NamedTuple

from se.errors import UsageError
from se.files.names import STDOUT
from se.files.write import refuse_special_file
from se.log import LOG
from se.programs.reading_stream import ReadingStream
from se.sinks.csv_files import CsvFiles
from se.stop import Stop
from se.stream import Mark


class Options(NamedTuple):
    """The command line of se2csv.py."""

    input: str | None  # - and None are stdin
    append: bool  # to existing files
    delimiter: str  # one character
    follow: bool  # the input as it grows
    header: bool  # into new and empty files
    prefix: str  # of all names of files, without the dot behind it; may be empty
    inverters: str | None  # deprecated: the file for them
    optimizers: str | None  # deprecated: the file for them


def run(options: Options) -> int:
    """Write the lines of the input as CSV files; returns the exit code."""
    files = CsvFiles(
        options.input,
        options.prefix,
        names=_deprecated_names(options),
        delimiter=options.delimiter,
        header=options.header,
        append=options.append,
    )
    with Stop() as stop, files:
        stream = ReadingStream(options.input, follow=options.follow, stop=stop)
        for readings in stream:
            if isinstance(readings, Mark):
                files.flush()
            else:
                files.write(readings)
        return stream.exit_code


def _deprecated_names(options: Options) -> dict[str, str]:
    """The files that -i and -o name, by device type. Raises UsageError and OutputError."""
    names = {}
    for flag, device_type, name in (
        ("-i", "inverters", options.inverters),
        ("-o", "optimizers", options.optimizers),
    ):
        if name:
            LOG.warning("%s is deprecated: use -p", flag)
            if name == STDOUT:
                raise UsageError(f"{flag}: needs a file, stdout would not tell the types apart")
            refuse_special_file(name)
            names[device_type] = name
    return names

#!/usr/bin/env python3
"""Convert SolarEdge performance data from JSON to CSV: one file for each device type."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.log import LOG, set_up_log
from se.programs.convert_options import FOLLOW_HELP, IN_FILE_HELP

EXAMPLES = """
  se2csv.py -p yyyymmdd -h yyyymmdd.json
      writes yyyymmdd.inverters.csv, yyyymmdd.optimizers.csv and so on, with headers
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    options = cli.Parser("se2csv.py", __doc__ or "", EXAMPLES, short_help=False)
    add = options.add_argument
    add("inFile", nargs="?", help=IN_FILE_HELP)
    add("-a", dest="append", action="store_true", help="append to existing files")
    add(
        "-d",
        dest="delim",
        type=_delimiter,
        default=",",
        help=r'delimiter, "\t" for a tab (default: "%(default)s")',
    )
    add("-f", dest="follow", action="store_true", help=FOLLOW_HELP)
    add("-h", dest="header", action="store_true", help="write column headers")
    add("-p", dest="prefix", metavar="csvPrefix", default="", help="prefix of all file names")
    add("-i", dest="inverters", metavar="invFile", help="deprecated - use -p instead")
    add("-o", dest="optimizers", metavar="optFile", help="deprecated - use -p instead")
    return options


def _delimiter(text: str) -> str:
    text = "\t" if text == r"\t" else text
    if len(text) != 1 or text == '"' or not (text.isprintable() or text == "\t"):
        raise argparse.ArgumentTypeError(f"{text!r} is not one character that can stand in CSV")
    return text


def work(options: argparse.Namespace) -> int:
    """Write the CSV files that the options name."""
    from se.errors import UsageError
    from se.files.write import refuse_special_file
    from se.programs.convert import write_csv
    from se.sinks.csv_files import CsvFiles

    set_up_log("se2csv", 0, "stderr", append=True)
    names = {}
    for option, device_type in (("-i", "inverters"), ("-o", "optimizers")):
        if name := getattr(options, device_type):
            LOG.warning("%s is deprecated: use -p", option)
            if name == "-":
                raise UsageError(f"{option}: needs a file, stdout would not tell the types apart")
            refuse_special_file(name)
            names[device_type] = name
    files = CsvFiles(
        options.inFile,
        options.prefix,
        names=names,
        delimiter=options.delim,
        header=options.header,
        append=options.append,
    )
    return write_csv(options.inFile, files, follow=options.follow)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

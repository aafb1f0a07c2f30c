#!/usr/bin/env python3
"""Convert SolarEdge performance data from JSON to CSV: one file for each device type."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.programs.convert_options import FOLLOW_HELP, IN_FILE_HELP

EXAMPLES = """
  se2csv.py -p yyyymmdd -h yyyymmdd.json
      writes yyyymmdd.inverters.csv, yyyymmdd.optimizers.csv and so on, with headers
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    options = cli.Parser("se2csv.py", __doc__ or "", EXAMPLES, short_help=False)
    add = options.add_argument
    add("input", nargs="?", metavar="inFile", help=IN_FILE_HELP)
    add("-a", dest="append", action="store_true", help="append to existing files")
    add(
        "-d",
        dest="delimiter",
        metavar="DELIM",
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


def work(arguments: argparse.Namespace) -> int:
    """Write the CSV files that the arguments name."""
    from se.programs import csv_files

    return csv_files.run(csv_files.Options(**vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

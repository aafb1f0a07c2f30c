#!/usr/bin/env python3
"""Keep a JSON file with the last values of every inverter, optimizer, meter and battery."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.programs.convert_options import IN_FILE_HELP

EXAMPLES = """
  semonitor.py -t n | tee yyyymmdd.json | se2state.py -o solar.json
  se2state.py -o solar.json yyyymmdd.json
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    options = cli.Parser("se2state.py", __doc__ or "", EXAMPLES)
    add = options.add_argument
    add("input", nargs="?", metavar="inFile", help=IN_FILE_HELP + "; it is followed as it grows")
    add(
        "-o",
        dest="state",
        metavar="stateFile",
        required=True,
        help="file for the current values; what it holds already is the beginning",
    )
    add("--once", action="store_true", help="end with the file instead of waiting for more of it")
    return options


def work(arguments: argparse.Namespace) -> int:
    """Keep the state file that the arguments name."""
    from se.programs import state

    return state.run(state.Options(**vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

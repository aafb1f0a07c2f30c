#!/usr/bin/env python3
"""Make a key file from an inverter's answers, as semonitor.py -c writes them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli

EXAMPLES = """
  semonitor.py -c 12,H239/12,H23a/12,H23b/12,H23c -s 7f101234 -t 2 /dev/ttyUSB0 \\
    | sekey.py -o 7f101234.key              ask the inverter and keep its key
  sekey.py -o 7f101234.key answers.json     make it from answers in a file
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    options = cli.Parser("sekey.py", __doc__ or "", EXAMPLES)
    options.add_argument("input", nargs="?", metavar="inFile", help="the answers (default: stdin)")
    options.add_argument(
        "-o",
        dest="output",
        metavar="keyFile",
        help="key file, readable for its owner alone (default: stdout)",
    )
    return options


def work(arguments: argparse.Namespace) -> int:
    """Make the key file that the arguments name."""
    from se.programs import key

    return key.run(key.Options(**vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

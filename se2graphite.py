#!/usr/bin/env python3
"""Send SolarEdge performance data from JSON to a graphite text port, one metric at a time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.programs.convert_options import graphite_parser

EXAMPLES = """
  se2graphite.py -b semonitor yyyymmdd.json
  se2graphite.py -b semonitor -h graphite.lan -f yyyymmdd.json
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    return graphite_parser("se2graphite.py", __doc__ or "", EXAMPLES, port=2003, delay=0.1)


def work(arguments: argparse.Namespace) -> int:
    """Send what the arguments name."""
    from se.programs import graphite

    return graphite.run(graphite.Options(protocol="text", **vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

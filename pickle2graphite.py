#!/usr/bin/env python3
"""Send SolarEdge performance data from JSON to a graphite pickle port, one batch a line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.programs.convert_options import graphite_parser

EXAMPLES = """
  pickle2graphite.py -b semonitor yyyymmdd.json
  pickle2graphite.py -b semonitor -h graphite.lan -f yyyymmdd.json
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    return graphite_parser("pickle2graphite.py", __doc__ or "", EXAMPLES, port=2004, delay=0.2)


def work(arguments: argparse.Namespace) -> int:
    """Send what the arguments name."""
    from se.programs import graphite

    return graphite.run(graphite.Options(protocol="pickle", **vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

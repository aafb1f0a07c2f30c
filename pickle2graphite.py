#!/usr/bin/env python3
"""Send SolarEdge performance data from JSON to a graphite pickle port, one batch a line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.log import set_up_log
from se.programs.convert_options import graphite_parser

EXAMPLES = """
  pickle2graphite.py -b semonitor yyyymmdd.json
  pickle2graphite.py -b semonitor -h graphite.lan -f yyyymmdd.json
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    return graphite_parser("pickle2graphite.py", __doc__ or "", EXAMPLES, port=2004, delay=0.2)


def work(options: argparse.Namespace) -> int:
    """Send what the options name."""
    from se.programs.convert import send_metrics
    from se.sinks.graphite import encode_pickle

    set_up_log("pickle2graphite", 0, "stderr", append=True)
    return send_metrics(options, encode_pickle, "pickle")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

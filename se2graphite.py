#!/usr/bin/env python3
"""Send SolarEdge performance data from JSON to a graphite text port, one metric at a time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.log import set_up_log
from se.programs.convert_options import graphite_parser

EXAMPLES = """
  se2graphite.py -b semonitor yyyymmdd.json
  se2graphite.py -b semonitor -h graphite.lan -f yyyymmdd.json
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    return graphite_parser("se2graphite.py", __doc__ or "", EXAMPLES, port=2003, delay=0.1)


def work(options: argparse.Namespace) -> int:
    """Send what the options name."""
    from se.programs.convert import send_metrics
    from se.sinks.graphite import encode_text

    set_up_log("se2graphite", 0, "stderr", append=True)
    return send_metrics(options, encode_text, "text")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

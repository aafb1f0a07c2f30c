"""What the command lines of the converters share; loads little, as it comes before all else."""

from __future__ import annotations

import argparse
import math

from se.cli import Parser

IN_FILE_HELP = "file of performance data in JSON format (default: stdin)"
FOLLOW_HELP = "wait for appended data as the input file grows (as in tail -f)"


def graphite_parser(
    prog: str, description: str, examples: str, *, port: int, delay: float
) -> Parser:
    """The command line of the two programs that send to graphite; the defaults differ."""
    parser = Parser(prog, description, examples, short_help=False)
    parser.add_argument("-b", dest="base", default="", help="prefix of the metrics' names")
    parser.add_argument(
        "-h", dest="host", default="localhost", help="host of the server (default: %(default)s)"
    )
    parser.add_argument(
        "-p", dest="port", type=_port, default=port, help="its port (default: %(default)s)"
    )
    parser.add_argument(
        "--delay",
        metavar="SECONDS",
        type=_seconds,
        default=delay,
        help="pause after each transmission (default: %(default)s)",
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=_seconds,
        default=30.0,
        help="how long a server is tried that has taken nothing yet (default: 30); one that"
        " goes away later is tried again without end",
    )
    parser.add_argument("-f", dest="follow", action="store_true", help=FOLLOW_HELP)
    parser.add_argument("input", nargs="?", metavar="inFile", help=IN_FILE_HELP)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds

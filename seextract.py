#!/usr/bin/env python3
"""Extract the messages of SolarEdge inverters from packet captures (pcap, pcapng, gzip of both)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli
from se.capture.servers import DEFAULT_NAME
from se.files.names import STDIN

EXAMPLES = """
  seextract.py -o day.dat day.pcap             one capture
  seextract.py -o all.dat captures/            all captures of a folder, in the order of time
  seextract.py -f -a -o all.dat captures/      the newest one as it grows, and those that follow
  seextract.py day.pcap | semonitor.py         decode a capture
  tcpdump -i eth0 -U -w - tcp or udp port 53 | seextract.py | semonitor.py
"""


def parser() -> cli.Parser:
    """The options, as the user's document lists them, and --both."""
    options = cli.Parser("seextract.py", __doc__ or "", EXAMPLES)
    add = options.add_argument
    add(
        "source",
        nargs="?",
        default=STDIN,
        metavar="pcapFile",
        help="a file or folder; - or nothing is stdin",
    )
    add("-a", dest="append", action="store_true", help="append to the output file")
    add("--both", action="store_true", help="the server's messages too, not only the inverter's")
    add("-f", dest="follow", action="store_true", help="follow the file as it grows, or the folder")
    add("-o", dest="output", metavar="outfile", help="file for the messages (default: stdout)")
    add(
        "-s",
        dest="server",
        default=DEFAULT_NAME,
        metavar="server",
        help="the SolarEdge server's name or address (default: %(default)s)",
    )
    add("-v", dest="verbose", action="count", default=0, help="tell what is done, and sum it up")
    return options


def work(arguments: argparse.Namespace) -> int:
    """Extract what the arguments name."""
    from se.programs import extract

    return extract.run(extract.Options(**vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

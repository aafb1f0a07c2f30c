#!/usr/bin/env python3
"""Decode the messages of SolarEdge inverters into JSON, one object a line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from se import cli

EXAMPLES = """
  semonitor.py -o day.json day.dat           decode a recorded day
  seextract.py day.pcap | semonitor.py       decode what a capture holds, to stdout
  semonitor.py -f -a -o day.json day.dat     follow a growing file
  semonitor.py -k 7f101234.key day.dat       decrypt with the inverter's key
  semonitor.py -n eth1 -a -o all.json        be the server of the inverters on eth1
"""
LOG_HELP = "where the log goes: stdout, stderr, syslog or a file (default: syslog)"
KEYS_HELP = "file with an inverter's key, or several lines 'ID key' (may be repeated)"
VERBOSE_HELP = "log operations; -vv messages, -vvv their contents, -vvvv their bytes"


def parser() -> cli.Parser:
    """The options, as the user's document lists them."""
    options = cli.Parser("semonitor.py", __doc__ or "", EXAMPLES)
    add = options.add_argument
    add("datasource", nargs="?", help="a file or serial port; - or nothing is stdin")
    add("-a", dest="append", action="store_true", help="append to output, record and debug file")
    add("-b", dest="baud", type=int, metavar="baud", help="baud rate (default: 115200)")
    add("-c", dest="commands", metavar="cmd[/cmd/...]", help="send these commands")
    add("-d", dest="debug", default="syslog", metavar="debugfile", help=LOG_HELP)
    add("-f", dest="follow", action="store_true", help="follow the file as it grows")
    add("-k", dest="keys", action="append", default=[], metavar="keyfile", help=KEYS_HELP)
    add("-m", dest="master", action="store_true", help="be the RS485 master")
    add("-n", dest="interface", metavar="interface", help="run DHCP and DNS on this interface")
    add("-o", dest="output", metavar="outfile", help="JSON file (default: stdout)")
    add("-p", dest="ports", metavar="port[,port...]", help="TCP ports with -t n (default: 22222)")
    add("-r", dest="record", metavar="recfile", help="record the bytes as they come")
    add("-s", dest="slaves", metavar="inv[,inv,...]", help="IDs of the inverters")
    add("-t", dest="type", choices=("2", "4", "n"), help="2 RS232, 4 RS485, n network")
    add("-v", dest="verbose", action="count", default=0, help=VERBOSE_HELP)
    add("-x", dest="strict", action="store_true", help="halt on what cannot be decoded")
    add("--any-mac", action="store_true", help="with -n: serve addresses to others, too")
    add("--user", metavar="name", help="with -t n: become this user once the ports are open")
    return options


def work(arguments: argparse.Namespace) -> int:
    """Decode what the arguments name."""
    from se.programs.monitor import options, run

    return run.run(options.Options(**vars(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

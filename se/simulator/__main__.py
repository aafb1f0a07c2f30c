"""Simulate a SolarEdge site: to a file, on a pseudo-terminal or as a client of the server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from se import cli
from se.files.read import CHUNK
from se.files.write import open_output
from se.simulator import client, terminal
from se.simulator.device import Line, make_devices
from se.simulator.encoder import encode_reports
from se.simulator.options import Options, make_options, parser, read_keys
from se.simulator.site import Site


def _write(messages: Iterable[bytes], path: str | None) -> None:
    """Write messages in large blocks."""
    with open_output(path) as output:
        block = bytearray()
        for message in messages:
            block += message
            if len(block) >= CHUNK:
                output.write(bytes(block))
                block.clear()
        output.write(bytes(block))


def run(options: Options) -> int:
    """Do what the options say; returns the exit code."""
    site = Site(options.plan)
    keys = read_keys(options.key, site)
    if not (options.pty or options.connect):
        _write(encode_reports(site.reports(), keys, options.plan.seed), options.output)
        return 0
    line = Line(options.line) if options.pty else Line.NETWORK
    devices = make_devices(site, keys, line, faults=options.faults, speed=options.speed)
    if options.connect:
        groups = [devices] if options.gateway else [[device] for device in devices]
        return client.run_clients(groups, options.connect, options.behaviour)
    return terminal.serve(devices, link=options.link, echo=options.echo)


def work(arguments: argparse.Namespace) -> int:
    """Do what the arguments name."""
    return run(make_options(arguments))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())

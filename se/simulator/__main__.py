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
from se.simulator.options import check, make_faults, make_site, parser, read_keys
from se.simulator.voice import speak


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


def run(options: argparse.Namespace) -> int:
    """Do what the options say; returns the exit code."""
    check(options)
    site = make_site(options)
    keys = read_keys(options.key, site)
    if not (options.pty or options.connect):
        _write(speak(site.reports(), keys, site.plan.seed), options.output)
        return 0
    line = Line(options.line or Line.RS485) if options.pty else Line.NETWORK
    devices = make_devices(
        site, keys, line, faults=make_faults(options), speed=options.speed or 0.0
    )
    if options.pty:
        return terminal.serve(devices, link=options.link, echo=bool(options.echo))
    groups = [devices] if options.gateway else [[device] for device in devices]
    manners = client.Manners(bool(options.stay), options.cut or 0, bool(options.deaf))
    return client.run_clients(groups, options.connect, manners)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), run, argv)


if __name__ == "__main__":
    sys.exit(main())

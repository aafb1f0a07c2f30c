"""seextract.py from its options to its exit code."""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import os
import socket

from se import cli
from se.capture.servers import Servers
from se.captures import Report, open_captures, read_packets
from se.cli import LOG
from se.errors import UsageError
from se.extract import Extractor, extract_messages
from se.files import display_name, open_output


def run(options: argparse.Namespace) -> int:
    """Do what seextract.py was called for; returns the exit code."""
    if not options.server:
        raise UsageError("-s: the name or address of a server is missing")
    cli.set_up_log("seextract", options.verbose, "stderr", append=True)
    report = Report(is_folder=os.path.isdir(options.source), follow=options.follow)
    source = open_captures(options.source, report, output=options.output)
    extractor = Extractor(Servers(options.server, resolve), both=options.both)
    with cli.Stop() as stop, open_output(options.output, append=options.append) as output:
        source = itertools.takewhile(lambda _: not stop.requested, source)
        try:
            for message in extract_messages(extractor, read_packets(source, report)):
                output.write(message)
        finally:
            LOG.info("%s", extractor.summary())
        if not extractor.messages:
            LOG.warning("%s: no messages to %s", display_name(options.source), options.server)
        return stop.exit_code if stop.requested else report.exit_code


def resolve(name: str) -> set[bytes]:
    """The addresses that this machine's resolver knows for a name; none where it knows none."""
    try:
        found = socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return set()
    return {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).packed for entry in found}

"""seextract.py from its options to its exit code."""

from __future__ import annotations

import ipaddress
import itertools
import os
import socket
from typing import NamedTuple

from se.capture.error_policy import ErrorPolicy
from se.capture.extractor import CapturedMessage, Extractor, extract_messages
from se.capture.reader import read_packets
from se.capture.servers import Servers
from se.errors import UsageError
from se.files.names import display_name
from se.files.write import open_output
from se.log import LOG, set_up_log
from se.programs.captures import open_captures
from se.stop import Stop


class Options(NamedTuple):
    """The command line of seextract.py."""

    source: str  # a file or folder; - is stdin
    append: bool  # to the output
    both: bool  # the server's messages too
    follow: bool  # the file as it grows, or the folder
    output: str | None  # - and None are stdout
    server: str  # name or address
    verbose: int  # how many -v


def run(options: Options) -> int:
    """Do what seextract.py was called for; returns the exit code."""
    if not options.server:
        raise UsageError("-s: the name or address of a server is missing")
    set_up_log(options.verbose)
    policy = ErrorPolicy(is_folder=os.path.isdir(options.source), follow=options.follow)
    captures = open_captures(options.source, policy, output=options.output)
    extractor = Extractor(Servers(options.server, resolve), both=options.both)
    with Stop() as stop, open_output(options.output, append=options.append) as output:
        captures = itertools.takewhile(lambda _: not stop.requested, captures)
        try:
            for found in extract_messages(extractor, read_packets(captures, policy)):
                if isinstance(found, CapturedMessage):
                    output.write(found.raw)
        finally:
            LOG.info("%s", extractor.summary())
        if not extractor.messages:
            LOG.warning("%s: no messages to %s", display_name(options.source), options.server)
        return stop.exit_code if stop.requested else policy.exit_code


def resolve(name: str) -> set[bytes]:
    """The addresses that this machine's resolver knows for a name; none where it knows none."""
    try:
        found = socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return set()
    return {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).packed for entry in found}

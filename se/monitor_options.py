"""The command line of semonitor.py: what cannot be meant, and what -c and -s say."""

from __future__ import annotations

import argparse
import re

from se.errors import UsageError
from se.wire.message import FIRST_ROLE

RS232, RS485, NETWORK = "2", "4", "n"
DEFAULT_BAUD = 115200
HIGHEST_BAUD = 10_000_000
_SERIAL_PORT = re.compile(r"/dev/(tty|cu|serial/).*|COM\d+|(socket|rfc2217)://.*", re.IGNORECASE)
_ID = re.compile(r"[0-9a-fA-F]+")


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be meant; the commands and the inverters are parsed in place.

    Raises UsageError.
    """
    if options.interface or options.type == NETWORK:
        raise UsageError("-n and -t n: the network is not available yet")
    if options.type in (RS232, RS485):
        _check_serial(options)
    else:
        _check_file(options)
    options.slaves = [] if options.slaves is None else parse_inverters(options.slaves)
    if options.commands is not None:
        from se.wire.commands import parse_commands  # most runs need no commands

        options.commands = parse_commands(options.commands)
        if len(options.slaves) != 1:
            raise UsageError("-c needs exactly one inverter: name it with -s")


def parse_inverters(text: str) -> list[int]:
    """The IDs of a -s option. Raises UsageError, naming the part that is wrong."""
    inverters: list[int] = []
    for part in text.split(","):
        if not _ID.fullmatch(part) or not 0 < int(part, 16) < FIRST_ROLE:
            raise UsageError(f"-s: {part!r} is no inverter's ID: expected hex, such as 7f101234")
        if int(part, 16) in inverters:
            raise UsageError(f"-s: {part} is given twice")
        inverters.append(int(part, 16))
    return inverters


def _check_serial(options: argparse.Namespace) -> None:
    if options.datasource in (None, "-"):
        raise UsageError(f"-t {options.type} needs a serial port, such as /dev/ttyUSB0")
    if options.follow:
        raise UsageError("-f is for files, not for a serial port")
    if options.master and options.type != RS485:
        raise UsageError("-m needs -t 4: only RS485 has a master")
    if options.master and options.slaves is None:
        raise UsageError("-m needs -s with the IDs of the inverters")
    if options.master and options.commands is not None:
        raise UsageError("-c is not for -m: with -t 4 it grants the bus for the answer by itself")
    if options.baud is None:
        options.baud = DEFAULT_BAUD
    if not 0 < options.baud <= HIGHEST_BAUD:
        raise UsageError(f"-b {options.baud}: is no baud rate")


def _check_file(options: argparse.Namespace) -> None:
    source = options.datasource
    if source and _SERIAL_PORT.fullmatch(source):
        raise UsageError(f"{source} is a serial port: say -t 2 (RS232) or -t 4 (RS485)")
    for flag, is_given in (
        ("-b", options.baud is not None),
        ("-c", options.commands is not None),
        ("-m", options.master),
        ("-s", options.slaves is not None),
    ):
        if is_given:
            raise UsageError(f"{flag} is not for input from a file or stdin")

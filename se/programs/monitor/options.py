"""The command line of semonitor.py: what cannot be meant, and what -c and -s say."""

from __future__ import annotations

import argparse
import re

from se.errors import UsageError
from se.wire.commands import Command
from se.wire.message import FIRST_ROLE, MAX_PAYLOAD

RS232, RS485, NETWORK = "2", "4", "n"
DEFAULT_PORT = 22222
DEFAULT_BAUD = 115200
HIGHEST_BAUD = 10_000_000
_SERIAL_PORT = re.compile(r"/dev/(tty|cu|serial/).*|COM\d+|(socket|rfc2217)://.*", re.IGNORECASE)
_ID = re.compile(r"[0-9a-fA-F]+")


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be meant; the commands and the inverters are parsed in place.

    Raises UsageError.
    """
    if options.interface and options.type is None:
        options.type = NETWORK
    if options.type == NETWORK:
        _check_network(options)
    elif options.type in (RS232, RS485):
        _refuse(f"-t {options.type}", _network_only(options))
        _check_serial(options)
    else:
        _refuse("input from a file or stdin", _network_only(options))
        _check_file(options)
    options.slaves = [] if options.slaves is None else parse_inverters(options.slaves)
    if options.commands is not None:
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


def parse_ports(text: str) -> list[int]:
    """The ports of a -p option. Raises UsageError, naming the part that is wrong."""
    ports = [int(part) if part.isdecimal() else 0 for part in text.split(",")]
    for part, port in zip(text.split(","), ports, strict=True):
        if not 0 < port < 0x10000:
            raise UsageError(f"-p: {part!r} is no port: expected a number from 1 to 65535")
        if ports.count(port) > 1:
            raise UsageError(f"-p: {part} is given twice")
    return ports


def _check_network(options: argparse.Namespace) -> None:
    if options.datasource is not None:
        raise UsageError(f"{options.datasource}: the network needs no data source")
    if options.any_mac and not options.interface:
        raise UsageError("--any-mac is for -n: without it there is no DHCP")
    _refuse(
        "the network",
        {"-b": options.baud is not None, "-f": options.follow, "-m": options.master},
    )
    options.ports = [DEFAULT_PORT] if options.ports is None else parse_ports(options.ports)


def _network_only(options: argparse.Namespace) -> dict[str, bool]:
    return {
        "-n": options.interface is not None,
        "-p": options.ports is not None,
        "--any-mac": options.any_mac,
        "--user": options.user is not None,
    }


def _refuse(where: str, flags: dict[str, bool]) -> None:
    """What means nothing there."""
    for flag, is_given in flags.items():
        if is_given:
            raise UsageError(f"{flag} is not for {where}")


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
    _refuse(
        "input from a file or stdin",
        {
            "-b": options.baud is not None,
            "-c": options.commands is not None,
            "-m": options.master,
            "-s": options.slaves is not None,
        },
    )


_SIZES = {"B": 1, "H": 2, "L": 4}


_HEX = re.compile(r"[0-9a-fA-F]+")


def parse_commands(text: str) -> list[Command]:
    """The commands of a -c option. Raises UsageError, naming the part that is wrong."""
    return [_parse_command(part) for part in text.split("/")]


def _parse_command(text: str) -> Command:
    if not text:
        raise UsageError("-c: there is an empty command: expected cmd[/cmd/...]")
    code, *parts = text.split(",")
    if not _HEX.fullmatch(code) or int(code, 16) > 0xFFFF:
        raise UsageError(f"-c: {text}: {code!r} is no function code: expected hex, up to ffff")
    parameters, payload = [], b""
    for part in parts:
        size = _SIZES.get(part[:1].upper())
        digits = part[1:]
        if size is None:
            raise UsageError(f"-c: {text}: parameter {part!r} does not begin with B, H or L")
        if not _HEX.fullmatch(digits):
            raise UsageError(f"-c: {text}: parameter {part!r} is no hex number behind its letter")
        value = int(digits, 16)
        if value >> 8 * size:
            raise UsageError(f"-c: {text}: parameter {part!r} needs more than {8 * size} bits")
        parameters.append(value)
        payload += value.to_bytes(size, "little")
    if len(payload) > MAX_PAYLOAD:
        raise UsageError(f"-c: the parameters of {code} take more than {MAX_PAYLOAD} bytes")
    return Command(text, int(code, 16), tuple(parameters), payload)

"""The command line of semonitor.py: which source takes what of it, and what -c, -p and -s say."""

from __future__ import annotations

import re
from typing import NamedTuple

from se.errors import UsageError
from se.files.names import STDIN
from se.wire.commands import Command
from se.wire.message import FIRST_ROLE, MAX_PAYLOAD
from se.wire.ports import TCP_PORT

RS232, RS485, NETWORK = "2", "4", "n"
DEFAULT_BAUD = 115200
HIGHEST_BAUD = 10_000_000
_SERIAL_PORT = re.compile(r"/dev/(tty|cu|serial/).*|COM\d+|(socket|rfc2217)://.*", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]+")
_SIZES = {"B": 1, "H": 2, "L": 4}


class Options(NamedTuple):
    """The command line as it was typed; None and False are what was not given."""

    datasource: str | None  # - and None are stdin
    append: bool  # to output, record and log
    baud: int | None
    commands: str | None
    debug: str  # where the log goes: one of LOG_STREAMS or a file
    follow: bool  # the file as it grows
    keys: list[str]  # files
    master: bool  # of the RS485 bus
    interface: str | None  # for DHCP and DNS
    output: str | None  # - and None are stdout
    ports: str | None
    record: str | None  # file for the bytes as they come
    slaves: str | None
    type: str | None  # RS232, RS485 or NETWORK
    verbose: int  # how many -v
    strict: bool  # halt on what cannot be decoded
    any_mac: bool  # addresses for others than inverters
    user: str | None  # to become once the ports are open


class FileOptions(NamedTuple):
    """What a file or stdin takes."""

    datasource: str | None  # - and None are stdin
    follow: bool


class SerialOptions(NamedTuple):
    """What a serial port takes."""

    datasource: str
    is_bus: bool  # RS485, not RS232
    baud: int
    strict: bool
    master: bool
    slaves: list[int]
    commands: list[Command]


class NetworkOptions(NamedTuple):
    """What the network takes."""

    interface: str | None
    any_mac: bool
    ports: list[int]
    user: str | None
    slaves: list[int]
    commands: list[Command]


SourceOptions = FileOptions | SerialOptions | NetworkOptions
# whatever is none of a source's fields is not for it
FLAGS = {
    "interface": "-n",
    "ports": "-p",
    "any_mac": "--any-mac",
    "user": "--user",
    "baud": "-b",
    "commands": "-c",
    "follow": "-f",
    "master": "-m",
    "slaves": "-s",
}


def source_options(options: Options) -> SourceOptions:
    """What the source takes of the options, parsed.

    Raises UsageError for what it does not take and for what cannot be meant.
    """
    if options.type == NETWORK or (options.type is None and options.interface):
        return _network_options(options)
    if options.type is None:
        return _file_options(options)
    return _serial_options(options)


def _refuse_others(options: Options, source: type[SourceOptions], where: str) -> None:
    """Refuse what the source does not take."""
    for name, flag in FLAGS.items():
        value = getattr(options, name)
        if value is not None and value is not False and name not in source._fields:
            raise UsageError(f"{flag} is not for {where}")


def _file_options(options: Options) -> FileOptions:
    path = options.datasource
    if path and _SERIAL_PORT.fullmatch(path):
        raise UsageError(f"{path} is a serial port: say -t 2 (RS232) or -t 4 (RS485)")
    _refuse_others(options, FileOptions, "input from a file or stdin")
    return FileOptions(path, options.follow)


def _serial_options(options: Options) -> SerialOptions:
    port, line, is_bus = options.datasource, f"-t {options.type}", options.type == RS485
    if port is None or port == STDIN:
        raise UsageError(f"{line} needs a serial port, such as /dev/ttyUSB0")
    if options.follow:
        raise UsageError("-f is for files, not for a serial port")
    _refuse_others(options, SerialOptions, line)
    if options.master:
        _check_master(options)
    baud = DEFAULT_BAUD if options.baud is None else options.baud
    if not 0 < baud <= HIGHEST_BAUD:
        raise UsageError(f"-b {baud}: is no baud rate")
    return SerialOptions(port, is_bus, baud, options.strict, options.master, *_order(options))


def _check_master(options: Options) -> None:
    if options.type != RS485:
        raise UsageError("-m needs -t 4: only RS485 has a master")
    if options.slaves is None:
        raise UsageError("-m needs -s with the IDs of the inverters")
    if options.commands is not None:
        raise UsageError("-c is not for -m: with -t 4 it grants the bus for the answer by itself")


def _network_options(options: Options) -> NetworkOptions:
    if options.datasource is not None:
        raise UsageError(f"{options.datasource}: the network needs no data source")
    if options.any_mac and not options.interface:
        raise UsageError("--any-mac is for -n: without it there is no DHCP")
    _refuse_others(options, NetworkOptions, "the network")
    ports = [TCP_PORT] if options.ports is None else parse_ports(options.ports)
    return NetworkOptions(options.interface, options.any_mac, ports, options.user, *_order(options))


def _order(options: Options) -> tuple[list[int], list[Command]]:
    """The inverters, and the commands for one of them."""
    slaves = [] if options.slaves is None else parse_inverters(options.slaves)
    commands = [] if options.commands is None else parse_commands(options.commands)
    if commands and len(slaves) != 1:
        raise UsageError("-c needs exactly one inverter: name it with -s")
    return slaves, commands


def parse_inverters(text: str) -> list[int]:
    """The IDs of a -s option. Raises UsageError, naming the part that is wrong."""
    inverters: list[int] = []
    for part in text.split(","):
        if not _HEX.fullmatch(part) or not 0 < int(part, 16) < FIRST_ROLE:
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

"""The options of the simulator, and what they make: a site and its keys."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Callable

from se import cli
from se.errors import UsageError
from se.keys import read_key_file
from se.simulator.device import Line
from se.simulator.faults import Faults
from se.simulator.inverter import COMPACT, OPTIMIZER, S_SERIES
from se.simulator.site import MAX_INVERTERS, Plan, Site

DESCRIPTION = "Simulate a SolarEdge site: its inverters' messages, made from a seed."
PORT = 22222
KINDS = (OPTIMIZER, COMPACT, S_SERIES)
EXAMPLES = """
  python3 -m se.simulator | semonitor.py             a day of one inverter, as JSON
  python3 -m se.simulator --inverters 2 --optimizers 30 --days 10 -o site.dat
  python3 -m se.simulator --ids 7f101234 --key 7f101234.key -o encrypted.dat
  python3 -m se.simulator --pty --link port --inverters 2 --ids 7f101234,7f105678
                                           two slaves on RS485, for
                                           semonitor.py -t 4 -m -s 7f101234,7f105678 port
  python3 -m se.simulator --pty --line 2 --link port --ids 7f101234
                                           for semonitor.py -t 2 port
  python3 -m se.simulator --connect localhost:22222 --inverters 3 --key keys
                                           for semonitor.py -t n -k keys
"""
# options that only mean something where the messages go this way
NEEDS = {
    "--pty": ("line", "link", "echo", "never_release"),
    "--connect": ("gateway", "stay", "cut", "deaf"),
    "--pty or --connect": ("speed", "lose", "noise", "silent"),
}
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")


def parser() -> cli.Parser:
    """What stands on the site, when, where its messages go, and what goes wrong."""
    options = cli.Parser("python3 -m se.simulator", DESCRIPTION, EXAMPLES)
    _add_site(options.add_argument_group("the site"))
    _add_ways(options.add_argument_group("where its messages go (default: stdout)"))
    _add_faults(options.add_argument_group("what goes wrong"))
    return options


def _add_site(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    inverters, panels = number(1, MAX_INVERTERS), number(0, 500)
    add("--inverters", type=inverters, metavar="N", help="how many inverters (default: 1)")
    add(
        "--three-phase",
        type=number(0, MAX_INVERTERS),
        metavar="N",
        help="how many of them, from the last, have three phases (default: 0)",
    )
    add("--ids", type=_ids, metavar="ID[,ID...]", help="IDs of the first inverters")
    add("--optimizers", type=panels, metavar="N", help="at each inverter (default: 10)")
    add(
        "--kinds",
        type=_kinds,
        metavar="TYPE[,...]",
        help="record types of the optimizers in turn: 0000, 0080, 0082 (default: 0080)",
    )
    add("--meter", action="store_true", help="there is a meter")
    add("--battery", action="store_true", help="there is a battery")
    add("--date", type=_date, metavar="YYYY-MM-DD", help="first day (default: 2026-06-21)")
    add(
        "--days",
        type=number(0, 2000),
        metavar="N",
        help="how many days (default: 1); with 0 they only answer",
    )
    add(
        "--interval",
        type=number(10, 3600),
        metavar="S",
        help="seconds between two reports (default: 300)",
    )
    add("--seed", type=int, metavar="N", help="chance: same seed, same bytes (default: 1)")
    add(
        "--key",
        metavar="KEYFILE",
        help="lines 'ID KEY', or keys of the first inverters: encrypt with them"
        " (with --pty: have them as parameters)",
    )
    group.set_defaults(**vars(Plan()))


def _add_ways(group: argparse._ArgumentGroup) -> None:
    add = group.add_mutually_exclusive_group().add_argument
    add("-o", dest="output", metavar="FILE", help="a recording")
    add("--pty", action="store_true", help="a pseudo-terminal, whose name is printed")
    add(
        "--connect",
        type=_address,
        metavar="HOST[:PORT]",
        help="the server there (default port: 22222), until everything is told",
    )
    add = group.add_argument
    add(
        "--line",
        choices=(Line.RS232.value, Line.RS485.value),
        metavar="2|4",
        help="with --pty: 2 = RS232, 4 = RS485 (default)",
    )
    add("--link", metavar="PATH", help="with --pty: make a symbolic link to it")
    _add_flag(group, "--gateway", "with --connect: one connection for all, not one each")
    _add_flag(group, "--stay", "with --connect: go on when everything is told")
    add(
        "--speed",
        type=_speed,
        metavar="N",
        help="each report waits for its time, N times faster than real time (default: no waiting)",
    )


def _add_faults(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    count = number(1, 10**9)
    add("--lose", type=count, metavar="N", help="every Nth message sent or received is lost")
    add("--noise", type=count, metavar="N", help="every Nth message has noise before it")
    add("--silent", type=number(0, 10**9), metavar="N", help="say nothing after N messages")
    add("--cut", type=count, metavar="N", help="with --connect: hang up amidst every Nth message")
    _add_flag(group, "--deaf", "with --connect: read nothing")
    _add_flag(group, "--never-release", "with --pty: never give the RS485 bus back")
    _add_flag(group, "--echo", "with --pty: the line sends back what comes in")


def _add_flag(group: argparse._ArgumentGroup, flag: str, help_text: str) -> None:
    """An option without a value: None where it is not given, as with the others."""
    group.add_argument(flag, action="store_true", default=None, help=help_text)


def number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return parse


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return speed


def _hexes(text: str, digits: int, what: str) -> tuple[int, ...]:
    parts = text.split(",")
    for part in parts:
        if not 0 < len(part) <= digits or part.strip("0123456789abcdefABCDEF"):
            raise argparse.ArgumentTypeError(f"{part!r} is not {what}")
    return tuple(int(part, 16) for part in parts)


def _ids(text: str) -> tuple[int, ...]:
    ids = _hexes(text, 8, "an inverter's ID")
    if len(set(ids)) < len(ids):
        raise argparse.ArgumentTypeError("an ID is there twice")
    return ids


def _kinds(text: str) -> tuple[int, ...]:
    kinds = _hexes(text, 4, "a record type of optimizers")
    if not set(kinds) <= set(KINDS):
        raise argparse.ArgumentTypeError(f"{text!r}: optimizers have 0000, 0080 and 0082")
    return kinds


def _address(text: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"] or PORT) if match else 0
    if not match or not 0 < port < 0x10000:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT or [IPV6]:PORT")
    return match["v6"] or match["host"], port


def _date(text: str) -> datetime.date:
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-06-21") from error
    if not 1971 <= date.year <= 2099:
        raise argparse.ArgumentTypeError(f"{text}: the years 1971 to 2099 can be simulated")
    return date


def check(options: argparse.Namespace) -> None:
    """Refuse options that go with others than those given. Raises UsageError."""
    for way, names in NEEDS.items():
        given = (options.pty and "--pty" in way) or (options.connect and "--connect" in way)
        for name in names:
            if not given and getattr(options, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} is only for {way}")
    if options.line == Line.RS232.value and options.inverters > 1:
        raise UsageError("--line 2: there is one inverter on an RS232 line")


def make_site(options: argparse.Namespace) -> Site:
    """The site that the options describe. Raises UsageError."""
    plan = Plan(**{name: getattr(options, name) for name in vars(Plan())})
    if len(plan.ids) > plan.inverters:
        raise UsageError(
            f"--ids names {len(plan.ids)} inverters, --inverters says {plan.inverters}"
        )
    if plan.three_phase > plan.inverters:
        raise UsageError(f"--three-phase {plan.three_phase} of {plan.inverters} inverters")
    return Site(plan)


def read_keys(path: str | None, site: Site) -> dict[int, bytes]:
    """The inverters' keys; those without an ID in order. Raises KeyFileError, UsageError."""
    if path is None:
        return {}
    ids = [inverter.id for inverter in site.inverters]
    file = read_key_file(path)
    for inverter in file.bound:
        if inverter not in ids:
            there = ", ".join(f"{each:X}" for each in ids[:5])
            raise UsageError(f"{path}: there is no inverter {inverter:X} (see --ids): {there}")
    free = [inverter for inverter in ids if inverter not in file.bound]
    if len(file.unbound) > len(free):
        raise UsageError(f"{path}: there are more keys than inverters")
    return file.bound | dict(zip(free, file.unbound, strict=False))


def make_faults(options: argparse.Namespace) -> Faults:
    """What goes wrong."""
    return Faults(
        options.lose or 0, options.noise or 0, bool(options.never_release), options.silent
    )

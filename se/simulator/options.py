"""The command line of the simulator: what it asks for, and whose keys it names."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from se import cli
from se.errors import UsageError
from se.keys import read_key_file
from se.simulator.arguments import address, first_day, inverter_ids, number, optimizer_kinds, speed
from se.simulator.client import Behaviour
from se.simulator.device import Line
from se.simulator.faults import Faults
from se.simulator.site import MAX_INVERTERS, Plan, Site
from se.wire.ports import TCP_PORT

DESCRIPTION = "Simulate a SolarEdge site: its inverters' messages, made from a seed."
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


class Options(NamedTuple):
    """What the command line asks for; the messages go to `output` unless `pty` or `connect`."""

    plan: Plan
    faults: Faults
    behaviour: Behaviour  # with `connect`
    key: str | None = None  # file
    output: str | None = None  # - and None are stdout
    pty: bool = False
    connect: tuple[str, int] | None = None  # host and port
    line: str = Line.RS485.value  # with `pty`
    link: str | None = None  # with `pty`: its other name
    echo: bool = False  # with `pty`
    gateway: bool = False  # with `connect`: one connection for all inverters
    speed: float = 0.0  # times real time; 0 is without waiting


def parser() -> cli.Parser:
    """What stands on the site, when, where its messages go, and what goes wrong."""
    options = cli.Parser("python3 -m se.simulator", DESCRIPTION, EXAMPLES)
    site = options.add_argument_group("the site")
    _add_devices(site)
    _add_days(site)
    _add_ways(options.add_argument_group("where its messages go (default: stdout)"))
    _add_faults(options.add_argument_group("what goes wrong"))
    return options


def _add_devices(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    inverters, panels = number(1, MAX_INVERTERS), number(0, 500)
    add("--inverters", type=inverters, metavar="N", help="how many inverters (default: 1)")
    add(
        "--three-phase",
        type=number(0, MAX_INVERTERS),
        metavar="N",
        help="how many of them, from the last, have three phases (default: 0)",
    )
    add("--ids", type=inverter_ids, metavar="ID[,ID...]", help="IDs of the first inverters")
    add("--optimizers", type=panels, metavar="N", help="at each inverter (default: 10)")
    add(
        "--kinds",
        type=optimizer_kinds,
        metavar="TYPE[,...]",
        help="record types of the optimizers in turn: 0000, 0080, 0082 (default: 0080)",
    )
    add("--meter", action="store_true", help="there is a meter")
    add("--battery", action="store_true", help="there is a battery")


def _add_days(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--date", type=first_day, metavar="YYYY-MM-DD", help="first day (default: 2026-06-21)")
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


def _add_ways(group: argparse._ArgumentGroup) -> None:
    add = group.add_mutually_exclusive_group().add_argument
    add("-o", dest="output", metavar="FILE", help="a recording")
    add("--pty", action="store_true", help="a pseudo-terminal, whose name is printed")
    add(
        "--connect",
        type=address,
        metavar="HOST[:PORT]",
        help=f"the server there (default port: {TCP_PORT}), until everything is told",
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
        type=speed,
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


def make_options(arguments: argparse.Namespace) -> Options:
    """What the command line asks for. Raises UsageError for what does not go together."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    _refuse_what_needs_another_way(given)
    plan = Plan(**_take(given, vars(Plan())))
    _check_plan(plan)
    if given.get("line") == Line.RS232.value and plan.inverters > 1:
        raise UsageError("--line 2: there is one inverter on an RS232 line")
    faults = Faults(**_take(given, Faults._fields))
    behaviour = Behaviour(**_take(given, Behaviour._fields))
    return Options(plan, faults, behaviour, **given)


def _take(given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given.pop(name) for name in names if name in given}


def _refuse_what_needs_another_way(given: Mapping[str, Any]) -> None:
    ways = {f"--{way}" for way in ("pty", "connect") if given.get(way)}
    for way, names in NEEDS.items():
        for name in names:
            if name in given and ways.isdisjoint(way.split(" or ")):
                raise UsageError(f"--{name.replace('_', '-')} is only for {way}")


def _check_plan(plan: Plan) -> None:
    if len(plan.ids) > plan.inverters:
        raise UsageError(
            f"--ids names {len(plan.ids)} inverters, --inverters says {plan.inverters}"
        )
    if plan.three_phase > plan.inverters:
        raise UsageError(f"--three-phase {plan.three_phase} of {plan.inverters} inverters")


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

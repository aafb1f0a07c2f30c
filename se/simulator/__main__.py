"""Simulate a SolarEdge site: its inverters' messages, made from a seed."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Iterable, Sequence

from se import cli, files
from se.errors import UsageError
from se.keys import read_key_file
from se.simulator.inverter import COMPACT, OPTIMIZER, S_SERIES
from se.simulator.site import MAX_INVERTERS, Plan, Site
from se.simulator.voice import speak

KINDS = (OPTIMIZER, COMPACT, S_SERIES)
DEFAULTS = Plan()
EXAMPLES = """
  python3 -m se.simulator | semonitor.py             a day of one inverter, as JSON
  python3 -m se.simulator --inverters 2 --optimizers 30 --days 10 -o site.dat
  python3 -m se.simulator --ids 7f101234 --key 7f101234.key -o encrypted.dat
"""


def parser() -> cli.Parser:
    """The options: what stands on the site, when, and where its messages go."""
    options = cli.Parser("python3 -m se.simulator", __doc__ or "", EXAMPLES)
    _add_site(options.add_argument_group("the site"))
    add = options.add_argument_group("its messages").add_argument
    add(
        "--key",
        metavar="KEYFILE",
        help="encrypt: lines 'ID KEY', or keys of the first inverters",
    )
    add("-o", dest="output", metavar="FILE", help="write a recording (default: stdout)")
    return options


def _add_site(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    inverters, panels = _number(1, MAX_INVERTERS), _number(0, 500)
    add("--inverters", type=inverters, metavar="N", help="how many inverters (default: 1)")
    add(
        "--three-phase",
        type=_number(0, MAX_INVERTERS),
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
    add("--days", type=_number(1, 2000), metavar="N", help="how many days (default: 1)")
    add(
        "--interval",
        type=_number(10, 3600),
        metavar="S",
        help="seconds between two reports (default: 300)",
    )
    add("--seed", type=int, metavar="N", help="chance: same seed, same bytes (default: 1)")
    group.set_defaults(**vars(DEFAULTS))


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return parse


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


def _date(text: str) -> datetime.date:
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-06-21") from error
    if not 1971 <= date.year <= 2099:
        raise argparse.ArgumentTypeError(f"{text}: the years 1971 to 2099 can be simulated")
    return date


def _site(options: argparse.Namespace) -> Site:
    """The site that the options describe. Raises UsageError."""
    plan = Plan(**{name: getattr(options, name) for name in vars(DEFAULTS)})
    if len(plan.ids) > plan.inverters:
        raise UsageError(
            f"--ids names {len(plan.ids)} inverters, --inverters says {plan.inverters}"
        )
    if plan.three_phase > plan.inverters:
        raise UsageError(f"--three-phase {plan.three_phase} of {plan.inverters} inverters")
    return Site(plan)


def _keys(path: str | None, site: Site) -> dict[int, bytes]:
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


def _write(messages: Iterable[bytes], path: str | None) -> None:
    with files.open_output(path) as output:
        block = bytearray()
        for message in messages:
            block += message
            if len(block) >= files.CHUNK:
                output.write(bytes(block))
                block.clear()
        output.write(bytes(block))


def run(options: argparse.Namespace) -> int:
    """Do what the options say; returns the exit code."""
    site = _site(options)
    keys = _keys(options.key, site)
    _write(speak(site.reports(), keys, site.plan.seed), options.output)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return cli.run(parser(), run, argv)


if __name__ == "__main__":
    sys.exit(main())

"""The types of the simulator's arguments; each raises ArgumentTypeError saying what is expected."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Callable

from se.records.optimizers import COMPACT_OPTIMIZER, OPTIMIZER, S_SERIES_OPTIMIZER
from se.wire.ports import TCP_PORT

KINDS = [table.number for table in (OPTIMIZER, COMPACT_OPTIMIZER, S_SERIES_OPTIMIZER)]
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")


def number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return parse


def speed(text: str) -> float:
    """The type of --speed."""
    try:
        factor = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 < factor < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return factor


def _hexes(text: str, digits: int, what: str) -> tuple[int, ...]:
    parts = text.split(",")
    for part in parts:
        if not 0 < len(part) <= digits or part.strip("0123456789abcdefABCDEF"):
            raise argparse.ArgumentTypeError(f"{part!r} is not {what}")
    return tuple(int(part, 16) for part in parts)


def inverter_ids(text: str) -> tuple[int, ...]:
    """The type of --ids."""
    ids = _hexes(text, 8, "an inverter's ID")
    if len(set(ids)) < len(ids):
        raise argparse.ArgumentTypeError("an ID is there twice")
    return ids


def optimizer_kinds(text: str) -> tuple[int, ...]:
    """The type of --kinds."""
    kinds = _hexes(text, 4, "a record type of optimizers")
    if not set(kinds) <= set(KINDS):
        raise argparse.ArgumentTypeError(f"{text!r}: optimizers have 0000, 0080 and 0082")
    return kinds


def address(text: str) -> tuple[str, int]:
    """The type of --connect: host and port."""
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"] or TCP_PORT) if match else 0
    if not match or not 0 < port < 0x10000:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT or [IPV6]:PORT")
    return match["v6"] or match["host"], port


def first_day(text: str) -> datetime.date:
    """The type of --date."""
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-06-21") from error
    if not 1971 <= date.year <= 2099:
        raise argparse.ArgumentTypeError(f"{text}: the years 1971 to 2099 can be simulated")
    return date

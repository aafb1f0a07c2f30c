"""What the tables say about the groups that telemetry is published under, for who converts it.

A group, such as `inverters`, has one table or several. One without is taken for that of an unknown
record type, and a field that its group does not have for what other tables call so.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from se.records import RECORD_TYPES
from se.records.field import Field, Nature
from se.records.table import Table
from se.records.unknown import unknown_table

_DESCRIPTIVE = (Nature.IDENTIFIER, Nature.TIME, Nature.HOUSEKEEPING)


class Group(NamedTuple):
    """What holds for the records of a group, whichever of its tables they come from."""

    depth: int  # levels of identifiers: the device's ID and, where its parts have one, their label
    in_state: bool  # whether the last record of each device is worth knowing
    id_key: str  # the field that names the device
    columns: tuple[tuple[str, ...], ...]  # the published names, table by table
    fields: Mapping[str, Field]  # by name
    momentary: tuple[str, ...]  # the fields that a wake or sleep event sets to 0
    descriptive: frozenset[str]  # the fields that tell no value: which device, when, housekeeping


def group(name: str) -> Group:
    """What is known of a group."""
    return known_groups().get(name) or _unknown_group()


@functools.cache
def known_groups() -> dict[str, Group]:
    """The groups that have tables, in their order."""
    tables: dict[str, list[Table]] = {}
    for table in RECORD_TYPES.values():
        tables.setdefault(table.group, []).append(table)
    return {name: _group(own) for name, own in tables.items()}


@functools.cache
def _unknown_group() -> Group:
    return _group([unknown_table(0)])


def _group(tables: list[Table]) -> Group:
    own = _fields(tables)
    every = _fields((unknown_table(0), *RECORD_TYPES.values())) | own
    return Group(
        tables[0].depth,
        tables[0].in_state,
        tables[0].id_key,
        tuple(table.keys for table in tables),
        own,
        tuple(field.name for field in own.values() if field.momentary),
        frozenset(field.name for field in every.values() if field.nature in _DESCRIPTIVE),
    )


def _fields(tables: Iterable[Table]) -> dict[str, Field]:
    return {field.name: field for table in tables for field in table.published}

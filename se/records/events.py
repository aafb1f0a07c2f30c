"""Events, 0x0300: an inverter wakes up or goes to sleep.

On the wire an event is its type and five numbers; the hook prints what two of the types mean. An
event of type 0 tells one moment twice, in UTC and by the inverter's own clock, so that their
difference is its zone (28 posted records).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from se.records.field import TIME, U32, Field, Nature
from se.records.table import Record, Table, Zone


def _print_moments(record: Record, zone: Zone) -> None:
    """Moments as texts and the zone offset as a signed number, in events of types 0 and 1."""
    prints: dict[str, Callable[[int], Any]] = {}
    if record.get("Type") == 0:
        prints = {"Event1": zone.local_text, "Event2": zone.clock_text}
    elif record.get("Type") == 1:
        prints = {"Event1": zone.local_text, "Event2": _signed, "Event3": zone.local_text}
    for name, form in prints.items():
        if record.get(name) is not None:
            record[name] = form(record[name])


def _signed(value: int) -> int:
    return value - (value >> 31 << 32)


_EVENT2 = "type 0: the same by the inverter's clock; type 1: its zone (s)"
_EVENT3 = "type 0: 1; type 1: the time of the record, local time"

EVENT = Table(
    0x0300,
    "events",
    "wake or sleep event",
    [
        TIME,
        Field("Type", U32, "", "types 0 and 1 are understood; 7, 114 and 118 occur", Nature.CODE),
        Field("Event1", U32, "", "types 0, 1: a moment, local time", Nature.CODE),
        Field("Event2", U32, "", _EVENT2, Nature.CODE),
        Field("Event3", U32, "", _EVENT3, Nature.CODE),
        Field("Event4", U32, nature=Nature.CODE),
        Field("Event5", U32, "", "type 0: flags", Nature.CODE),
    ],
    finish=_print_moments,
)

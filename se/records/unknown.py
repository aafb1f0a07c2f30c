"""Record types that nobody has deciphered: the time, and the rest in hex."""

from __future__ import annotations

import functools

from se.records.field import REST, TIME, Field, Nature
from se.records.table import Table


@functools.lru_cache(maxsize=64)  # a stream of nonsense may bring any number
def unknown_table(number: int) -> Table:
    """The table for a record type without one."""
    return Table(
        number,
        f"Unknown_device_0x{number:04x}",
        "not deciphered",
        [TIME, Field("Undeciphered_data", REST, "", "the bytes in hex", Nature.HOUSEKEEPING)],
        typed=True,
        in_state=False,
    )

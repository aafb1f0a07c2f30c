"""What every source says: data, or a mark that stands for something else than data.

A source of bytes, lines, packets, messages or readings is an iterator that never blocks for long,
so that whoever loops over it can look at the clock and at Ctrl-C between two items. One that is
exhausted without an END was interrupted: what is incomplete may go on elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TypeVar, Union

Item = TypeVar("Item")


class Mark(Enum):
    """What is no data."""

    IDLE = "nothing new at the moment"
    BROKEN = "what follows belongs to another stream"
    END = "nothing follows"


Stream = Iterator[Union[Item, Mark]]  # noqa: UP007 (Python 3.10 needs it for a generic alias)

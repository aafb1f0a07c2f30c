"""Time zones for tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from se.programs.monitor.zone import LocalZone, _minute


@contextmanager
def zone(name: str) -> Iterator[LocalZone]:
    """The machine's zone for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        _minute.cache_clear()
        yield LocalZone()
    time.tzset()
    _minute.cache_clear()

"""Settings of all tests: hypothesis repeats the same examples, so that a green run stays green.

Each test leaves the log as it was: a program that runs within a test sets it up.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from se.log import LOG

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def restored_log() -> Iterator[None]:
    name, level, propagate = LOG.name, LOG.level, LOG.propagate
    yield
    for handler in LOG.handlers[:]:
        LOG.removeHandler(handler)
        handler.close()
    LOG.name, LOG.propagate = name, propagate
    LOG.setLevel(level)

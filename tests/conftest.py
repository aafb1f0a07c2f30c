"""Settings of all tests.

Hypothesis repeats the same examples, so that a green run stays green. A test that hangs fails, and
the programs that it started end with it. Each test leaves the log as it was: a program that runs
within a test sets it up.
"""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Generator, Iterator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

from se.log import LOG

pytest_plugins = ["tests.support.namespaces"]

AGAIN_S = 10

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer() -> Generator[None, bool, bool]:
    """Let the alarm of a test kill its child processes before it fails, and come again after that.

    Once is not enough: a `with subprocess.Popen` waits for a program that hangs, and hypothesis
    tries an example that failed again.
    """
    done = yield
    fail = signal.getsignal(signal.SIGALRM)
    assert callable(fail)

    def kill_and_fail(number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        for children in pathlib.Path("/proc/self/task").glob("*/children"):
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        fail(number, frame)

    signal.signal(signal.SIGALRM, kill_and_fail)
    signal.setitimer(signal.ITIMER_REAL, signal.getitimer(signal.ITIMER_REAL)[0], AGAIN_S)
    return done


@pytest.fixture(autouse=True)
def restored_log() -> Iterator[None]:
    name, level, propagate = LOG.name, LOG.level, LOG.propagate
    yield
    for handler in LOG.handlers[:]:
        LOG.removeHandler(handler)
        handler.close()
    LOG.name, LOG.propagate = name, propagate
    LOG.setLevel(level)

"""What was sent and may be lost."""

from __future__ import annotations

import pytest

from se.sinks import unsure
from se.sinks.unsure import MOMENT_S, UNSURE_BYTES, UNSURE_S, Unsure


class Clock:
    """Stands for the module `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(unsure, "time", clock)
    return clock


def test_everything_is_taken_once_and_in_order(clock: Clock) -> None:
    sent = Unsure()
    for message in (b"one\n", b"two\n", b"three\n"):
        sent.add(message)
        clock.now += MOMENT_S
    assert b"".join(sent.take()) == b"one\ntwo\nthree\n"
    assert sent.take() == []


def test_what_is_old_and_confirmed_is_forgotten(clock: Clock) -> None:
    sent = Unsure()
    sent.add(b"one\n")
    clock.now += UNSURE_S + MOMENT_S / 2
    sent.add(b"two\n")
    assert not sent.forget(unconfirmed=0)  # what is kept with it may be younger by a moment
    clock.now += MOMENT_S
    assert not sent.forget(unconfirmed=5)
    assert sent.forget(unconfirmed=4)
    assert sent.take() == [b"two\n"]


def test_messages_of_one_moment_are_as_old_as_the_first(clock: Clock) -> None:
    sent = Unsure()
    sent.add(b"one\n")
    clock.now += MOMENT_S / 2
    sent.add(b"two\n")
    assert sent.last == 1000.0
    assert sent.take() == [b"one\ntwo\n"]
    assert sent.last == 0.0


def test_it_says_when_it_is_full(clock: Clock) -> None:
    sent = Unsure()
    sent.add(bytes(UNSURE_BYTES))
    assert not sent.is_full
    sent.add(b"\n")
    assert sent.is_full
    clock.now += UNSURE_S + 2 * MOMENT_S
    assert sent.forget(unconfirmed=0) and not sent.is_full

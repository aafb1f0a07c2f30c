"""Events: moments as texts, and plain numbers."""

from __future__ import annotations

import pytest

from se.records import format_record
from tests.support.records import record


def test_sleep_and_wake_events() -> None:
    moment = 1446346358
    values = {"dateTime": moment, "Type": 0, "Event1": moment, "Event2": moment - 28800}
    decoded = record(format_record(0x0300, 1, values | {"Event3": 1}), "America/Los_Angeles")
    assert decoded["Event1"] == "Sat Oct 31 19:52:38 2015"
    assert decoded["Event2"] == "Sat Oct 31 18:52:38 2015"
    assert (decoded["Event3"], decoded["Event4"]) == (1, None)
    values = {"dateTime": moment, "Type": 1, "Event1": moment, "Event2": 0xFFFF8F80}
    decoded = record(format_record(0x0300, 1, values | {"Event3": moment}), "America/Los_Angeles")
    assert (decoded["Event1"], decoded["Event2"]) == ("Sat Oct 31 19:52:38 2015", -28800)
    assert decoded["Event3"] == "Sat Oct 31 19:52:38 2015"
    assert decoded["ID"] == "1"
    decoded = record(format_record(0x0300, 1, {"dateTime": moment, "Type": 1}))
    assert (decoded["Event1"], decoded["Event2"], decoded["Event3"]) == (None, None, None)


@pytest.mark.parametrize("kind", [7, 114, 118])
def test_other_events_are_plain_numbers(kind: int) -> None:
    values = {"dateTime": 1, "Type": kind, "Event1": 0xFFFFFFFF, "Event2": 1, "Event3": 1453617080}
    decoded = record(format_record(0x0300, 1, values))
    assert {name: decoded[name] for name in values} == values

"""Local time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.programs.monitor.zone import LocalZone
from tests.support.zones import zone


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "ODD-1:02:03"]
)
@given(utc=st.integers(0, 2**32 - 1))
def test_date_and_time_are_the_local_ones(name: str, utc: int) -> None:
    with zone(name) as local:
        expected = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(utc))
        assert " ".join(map(str, local.date_and_time(utc))) == expected


def test_they_are_right_on_both_sides_of_a_daylight_saving_change() -> None:
    with zone("Europe/Amsterdam") as local:
        assert local.date_and_time(1445734799) == ("2015-10-25", "02:59:59")
        assert local.date_and_time(1445734800) == ("2015-10-25", "02:00:00")
        assert local.offset(1445734799) == 7200
        assert local.offset(1445734800) == 3600


def test_zones_of_half_an_hour() -> None:
    with zone("Asia/Kolkata") as local:
        assert local.offset(0) == 19800
        assert local.date_and_time(0) == ("1970-01-01", "05:30:00")


def test_texts_are_local_and_those_of_a_clock_are_not_shifted() -> None:
    with zone("America/Los_Angeles") as local:
        assert local.local_text(1446346358) == "Sat Oct 31 19:52:38 2015"
        assert local.clock_text(1446317558) == "Sat Oct 31 18:52:38 2015"


def test_a_moment_that_the_clock_cannot_hold_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(utc: float) -> time.struct_time:
        raise OverflowError("timestamp out of range for platform time_t")

    with zone("UTC"):
        monkeypatch.setattr(time, "localtime", overflow)
        monkeypatch.setattr(time, "gmtime", overflow)
        local = LocalZone()
        assert local.date_and_time(4294967294) == (None, None)
        assert local.local_text(4294967294) is None
        assert local.clock_text(4294967294) is None

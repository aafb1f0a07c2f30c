"""Local time as the tables print it: the zone of this machine."""

from __future__ import annotations

import functools
import time

_SECONDS = [f"{second:02d}" for second in range(60)]


class LocalZone:
    """The machine's zone; a moment that the machine's clock cannot hold is None."""

    def date_and_time(self, utc: int) -> tuple[str, str] | tuple[None, None]:
        """`2015-10-31` and `19:52:38`, the local time at `utc` (seconds)."""
        date, clock = _minute(utc // 60)
        return (date, clock + _SECONDS[utc % 60]) if date else _exactly(utc)

    def local_text(self, utc: int) -> str | None:
        """`Sat Oct 31 19:52:38 2015`, the local time at `utc` (seconds)."""
        try:
            return time.asctime(time.localtime(utc))
        except (OverflowError, OSError):
            return None

    def clock_text(self, seconds: int) -> str | None:
        """The same form for what a clock of its own showed: not shifted."""
        try:
            return time.asctime(time.gmtime(seconds))
        except (OverflowError, OSError):
            return None

    def offset(self, utc: int) -> int:
        """Seconds that local time is ahead of UTC at that moment, daylight saving included."""
        return time.localtime(utc).tm_gmtoff


@functools.lru_cache(maxsize=1024)
def _minute(minutes: int) -> tuple[str, str]:
    """Date and `HH:MM:` of a minute since 1970: most records of a message share one.

    Empty where that is not enough: beyond the clock's range, or in a zone that counts leap seconds.
    """
    try:
        local = time.localtime(minutes * 60)
    except (OverflowError, OSError):
        return "", ""
    if local.tm_sec:
        return "", ""
    return time.strftime("%Y-%m-%d", local), time.strftime("%H:%M:", local)


def _exactly(utc: int) -> tuple[str, str] | tuple[None, None]:
    try:
        local = time.localtime(utc)
    except (OverflowError, OSError):
        return None, None
    return time.strftime("%Y-%m-%d", local), time.strftime("%H:%M:%S", local)

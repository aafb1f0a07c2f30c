"""The irradiance of the simulated site, by date, time and clouds.

The site lies at 50 degrees north and keeps the clock of Central European winter time, with the sun
in the south at twelve. Clouds are value noise, so that any moment can be asked for in any order.
"""

from __future__ import annotations

import math

from se.simulator.seeded_random import uniform, value_noise

ZONE_OFFSET_S = 3600
DAY_S = 86400
LATITUDE = math.radians(50)
OBLIQUITY = math.radians(23.44)
HORIZON = math.sin(math.radians(2))  # below this the light does not wake an inverter
EQUINOX = 953537700  # 2000-03-20 07:35 UTC
YEAR_S = 31556925


class Irradiance:
    """Sun and clouds over the site."""

    def __init__(self, seed: int):
        self._seed = seed

    def daylight(self, utc: float) -> tuple[int, int]:
        """When there is enough light on the day (of the site's clock) that `utc` falls on."""
        noon = (utc + ZONE_OFFSET_S) // DAY_S * DAY_S + DAY_S / 2 - ZONE_OFFSET_S
        height, width = _orbit(noon)
        half = math.acos((HORIZON - height) / width) / math.pi * DAY_S / 2
        return round(noon - half), round(noon + half)

    def relative(self, utc: float) -> float:
        """0 when it is too dark, 1 under a clear sky with the sun in the zenith."""
        height, width = _orbit(utc)
        turn = (utc + ZONE_OFFSET_S) % DAY_S / DAY_S - 0.5
        elevation = height + width * math.cos(2 * math.pi * turn)
        return math.pow(max(0.0, elevation - HORIZON), 1.15) * (1 - self._cloud_cover(utc))

    def _cloud_cover(self, utc: float) -> float:
        """What part of the light clouds hold back, with days, hours and minutes of their own."""
        days = uniform(self._seed, "day", (utc + ZONE_OFFSET_S) // DAY_S)
        hours = value_noise(utc, 3600, self._seed, "hours")
        minutes = value_noise(utc, 450, self._seed, "minutes")
        return 0.85 * days * (0.6 * hours + 0.4 * minutes)


def _orbit(utc: float) -> tuple[float, float]:
    """The sine of the sun's elevation is the first plus the second times the hour's cosine."""
    declination = OBLIQUITY * math.sin(2 * math.pi * (utc - EQUINOX) / YEAR_S)
    return (
        math.sin(LATITUDE) * math.sin(declination),
        math.cos(LATITUDE) * math.cos(declination),
    )

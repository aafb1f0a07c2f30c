"""Random numbers that depend on a seed and a name alone, in whatever order they are asked for."""

from __future__ import annotations

import functools
import random


@functools.lru_cache(maxsize=4096)
def uniform(*name: object) -> float:
    """A number in 0..1, always the same for the same name."""
    return random.Random(repr(name)).random()


def value_noise(utc: float, period: float, *name: object) -> float:
    """A number in 0..1 that changes smoothly and takes about `period` seconds for it.

    Between random numbers at the points of a grid in time it is interpolated.
    """
    index, part = divmod(utc / period, 1)
    part = part * part * (3 - 2 * part)
    return uniform(*name, index) * (1 - part) + uniform(*name, index + 1) * part

"""How inverters and their lines misbehave, when they are told to."""

from __future__ import annotations

import random
from typing import NamedTuple

MAX_NOISE = 40


class Faults(NamedTuple):
    """What is wrong with an inverter or its line; 0 and None: nothing."""

    lose: int = 0  # every n-th message sent is lost, and every n-th received
    noise: int = 0  # before every n-th message sent come random bytes or a torn message
    never_release: bool = False  # the RS485 bus is not given back
    silent: int | None = None  # after so many messages nothing more is sent


class FaultyLine:
    """A line with faults; where there are none, all goes through."""

    def __init__(self, faults: Faults, seed: object):
        self._faults = faults
        self._random = random.Random(f"faults {seed}")
        self._sent = self._received = 0

    def send(self, raw: bytes) -> bytes:
        """What of a message goes out."""
        lose, noise, _, silent = self._faults
        if silent is not None and self._sent >= silent:
            return b""
        self._sent += 1
        before = self._noise(raw) if noise and self._sent % noise == 0 else b""
        return before if lose and self._sent % lose == 0 else before + raw

    def receives(self) -> bool:
        """Whether the next message comes in."""
        self._received += 1
        return not self._faults.lose or self._received % self._faults.lose != 0

    def _noise(self, raw: bytes) -> bytes:
        if self._random.random() < 0.5:
            return raw[: self._random.randrange(1, len(raw))]
        return self._random.randbytes(self._random.randrange(1, MAX_NOISE))

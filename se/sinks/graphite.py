"""Metrics for graphite: what is sent, under which names, in carbon's two protocols.

A metric is `base.deviceType.identifiers.field`. Whatever a file name or graphite's own language
could trip over becomes `_`, as each part of a name becomes a folder or a file.
"""

from __future__ import annotations

import functools
import pickle
import re
import struct
from collections.abc import Iterable, Iterator

from se.log import LOG
from se.records.groups import group
from se.sinks.readings import Reading, moment

Metric = tuple[str, int, float]  # name, UTC seconds, value

BATCH_LIMIT = 500  # metrics; carbon ends the connection at a message of 1,048,576 bytes
PART_LIMIT = 200  # characters, as a file name may have 255 with its ending

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def metrics(base: str, reading: Reading) -> list[Metric]:
    """Every number of a reading that tells a value. Without a known time there are none."""
    parts = [part for part in base.split(".") if part]
    name = ".".join(map(_fit, (*parts, *reading.path)))
    time = moment(reading.fields)
    if time is None:
        LOG.warning("%s: has no dateTime, Date and Time: not sent", name)
        return []
    descriptive = group(reading.device_type).descriptive
    return [
        (f"{name}.{_fit(field)}", time, value)
        for field, value in reading.fields.items()
        if type(value) in (int, float) and field not in descriptive
    ]


@functools.lru_cache(maxsize=4096)
def _fit(part: str) -> str:
    return _UNFIT.sub("_", part[:PART_LIMIT]) or "_"


def encode_text(batch: Iterable[Metric]) -> Iterator[bytes]:
    """One message a metric: the plain text protocol."""
    for name, time, value in batch:
        yield f"{name} {value} {time}\n".encode("ascii")


def encode_pickle(batch: list[Metric]) -> Iterator[bytes]:
    """One message for all of them, or several, each below carbon's limit: the pickle protocol."""
    for start in range(0, len(batch), BATCH_LIMIT):
        part = [(name, (time, value)) for name, time, value in batch[start : start + BATCH_LIMIT]]
        data = pickle.dumps(part, protocol=2)
        yield struct.pack(">L", len(data)) + data

"""se2graphite.py and pickle2graphite.py from their options to their exit code."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from se.programs.progress import Progress
from se.programs.reading_stream import ReadingStream
from se.sinks.carbon import Carbon
from se.sinks.graphite import encode_pickle, encode_text, metrics
from se.sinks.tcp import Address
from se.stop import Stop
from se.stream import Mark

ENCODERS = {"text": encode_text, "pickle": encode_pickle}


class Options(NamedTuple):
    """The command line of one of them."""

    protocol: str  # what the port speaks, one of ENCODERS
    base: str  # the prefix of the metrics' names, may be empty
    host: str
    port: int
    delay: float  # seconds after each message
    patience: float  # seconds that a server is tried which has taken nothing yet
    follow: bool  # the input as it grows
    input: str | None  # - and None are stdin


def run(options: Options) -> int:
    """Send the lines of the input to carbon; returns the exit code."""
    encode = ENCODERS[options.protocol]
    with Stop() as stop, closing(Progress(options.input, follow=options.follow)) as progress:
        stream = ReadingStream(options.input, follow=options.follow, stop=stop)
        carbon = Carbon(
            Address(options.host, options.port),
            options.protocol,
            delay=options.delay,
            patience=options.patience,
            stop=stop,
        )
        for readings in stream:
            if isinstance(readings, Mark):
                carbon.rest()
                continue
            batch = [metric for reading in readings for metric in metrics(options.base, reading)]
            for message in encode(batch):
                carbon.send(message)
            if not stop.requested:
                progress.show(stream.bytes_read)
        carbon.close()
        if not stop.requested:
            progress.show(stream.bytes_read)
        return stream.exit_code

"""semonitor.py from its options to its exit code: where sources, keys, log and output meet.

A source is a place where bytes come from: it opens by its making, has a name for the log, and
hands what its sessions meet to the monitor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Protocol

from se.files.names import refuse_same_file
from se.files.write import Output, open_output
from se.keys import SessionStore
from se.log import LOG, LOG_STREAMS, set_up_log
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.options import (
    FileOptions,
    Options,
    SerialOptions,
    SourceOptions,
    source_options,
)
from se.sinks.json_lines import JsonLines
from se.stop import Stop


class Source(Protocol):
    """A file, a serial port, or the network."""

    name: str  # for the log
    inverters: Collection[int]  # the IDs that the user named

    def run(self, monitor: Monitor, store: SessionStore, stop: Stop) -> None:
        """Read until the end, or until a signal comes."""


def run(options: Options) -> int:
    """Do what semonitor.py was called for; returns the exit code."""
    taken = source_options(options)
    refuse_same_file(
        options.datasource,
        options.output,
        options.record,
        None if options.debug in LOG_STREAMS else options.debug,
        *dict.fromkeys(options.keys),
    )
    source = _open_source(taken)
    set_up_log(options.verbose, options.debug, append=options.append)
    store = SessionStore(options.keys)
    LOG.info("reading %s%s", source.name, " and following it" if options.follow else "")
    with contextlib.ExitStack() as opened:
        stop = opened.enter_context(Stop())
        output, record = _open_outputs(options, opened)
        monitor = Monitor(
            JsonLines(output), strict=options.strict, record=record, inverters=source.inverters
        )
        try:
            source.run(monitor, store, stop)
        finally:
            store.save()
            LOG.info("%s", monitor.counts.summary(source.name))
        return stop.exit_code if stop.requested else 0


def _open_outputs(options: Options, opened: contextlib.ExitStack) -> tuple[Output, Output | None]:
    """Open the output, and the record where there is to be one. Raises OutputError."""
    output = opened.enter_context(open_output(options.output, append=True, lines=options.append))
    record = None
    if options.record:
        record = opened.enter_context(open_output(options.record, append=True))
    if not options.append:  # now that both are open: none is lost because the other cannot be
        output.clear()
        if record:
            record.clear()
    return output, record


def _open_source(options: SourceOptions) -> Source:
    """Open where the bytes come from; its modules are loaded only for those who need them."""
    if isinstance(options, FileOptions):
        from se.programs.monitor.file import FileSource

        return FileSource(options)
    if isinstance(options, SerialOptions):
        from se.programs.monitor.serial import SerialSource

        return SerialSource(options)
    from se.programs.monitor.network import NetworkSource

    return NetworkSource(options)

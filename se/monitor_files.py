"""semonitor.py on a file or stdin."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from se import cli, files
from se.errors import InputError
from se.keys import SessionStore
from se.monitor import Monitor
from se.unpack import unpack_messages
from se.wire.keyring import Locked
from se.wire.session import Recent, Session


class FileSource:
    """A file, followed or not, or stdin; opened by its making, which raises InputError."""

    def __init__(self, options: argparse.Namespace):
        self.name = files.display_name(options.datasource)
        self._path = options.datasource
        self._follow = options.follow
        self._chunks = files.read_chunks(options.datasource, follow=options.follow)

    def run(self, monitor: Monitor, store: SessionStore, stop: cli.Stop) -> None:
        """Decode it to its end or a signal. Raises InputError where it is a damaged capture."""
        chunks = unpack_messages(_until(stop, self._chunks), self.name, follow=self._follow)
        try:
            self._decode(chunks, monitor, store, stop)
        except InputError:
            if not stop.requested:  # a capture may well be inside a packet then
                raise

    def _decode(
        self,
        chunks: Iterator[bytes | None],
        monitor: Monitor,
        store: SessionStore,
        stop: cli.Stop,
    ) -> None:
        session = Session(store.keyring, Recent())
        # a recording's sessions are as old as itself
        recorded = None if self._follow else files.modified(self._path)
        size = 0
        for chunk in chunks:
            if chunk is None:
                session.close()
            else:
                session.receive_data(chunk, recorded or time.time())
                size += len(chunk)
            monitor.handle(self.name, session.events())
            store.save_soon()
        if stop.requested:
            return
        session.close()
        monitor.handle(self.name, session.events())
        for inverter in store.keyring.misfits():
            monitor.complain(self.name, Locked.WRONG_KEY, inverter)
        if size and not monitor.found_messages:
            cli.complain(f"semonitor.py: {self.name}: no SolarEdge message in {size} bytes")


def _until(stop: cli.Stop, chunks: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """The chunks up to Ctrl-C or SIGTERM."""
    for chunk in chunks:
        if stop.requested:
            return
        yield chunk

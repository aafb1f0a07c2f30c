"""semonitor.py on a file or stdin."""

from __future__ import annotations

import argparse
import time

from se.capture.unpack import unpack_messages
from se.errors import InputError
from se.files.names import display_name
from se.files.read import modified, read_chunks
from se.keys import SessionStore
from se.log import complain
from se.programs.monitor.monitor import Monitor
from se.stop import Stop
from se.stream import Mark, Stream
from se.wire.keyring import Locked
from se.wire.message import Message
from se.wire.session import Recent, Session


class FileSource:
    """A file, followed or not, or stdin; opened by its making, which raises InputError."""

    def __init__(self, options: argparse.Namespace):
        self.name = display_name(options.datasource)
        self._path = options.datasource
        self._follow = options.follow
        self._chunks = read_chunks(options.datasource, follow=options.follow)

    def run(self, monitor: Monitor, store: SessionStore, stop: Stop) -> None:
        """Decode it to its end or a signal. Raises InputError where it is a damaged capture."""
        chunks = unpack_messages(_until(stop, self._chunks), self.name, follow=self._follow)
        try:
            self._decode(chunks, monitor, store, stop)
        except InputError:
            if not stop.requested:  # a capture may well be inside a packet then
                raise

    def _decode(
        self,
        chunks: Stream[bytes | Message],
        monitor: Monitor,
        store: SessionStore,
        stop: Stop,
    ) -> None:
        session = Session(store.keyring, Recent())
        # a recording's sessions are as old as itself
        recorded = None if self._follow else modified(self._path)
        size = 0
        for chunk in chunks:
            if isinstance(chunk, Message):
                session.receive_message(chunk, recorded or time.time())
            elif isinstance(chunk, bytes):
                session.receive_data(chunk, recorded or time.time())
                size += len(chunk)
            elif chunk is not Mark.IDLE:
                session.close()
            monitor.handle(self.name, session.events())
            store.save_soon()
        if stop.requested:
            return
        for inverter in store.keyring.misfits():
            monitor.complain(self.name, Locked.WRONG_KEY, inverter)
        if size and not monitor.found_messages:
            complain(f"semonitor.py: {self.name}: no SolarEdge message in {size} bytes")


def _until(stop: Stop, chunks: Stream[bytes]) -> Stream[bytes]:
    """The chunks up to Ctrl-C or SIGTERM."""
    for chunk in chunks:
        if stop.requested:
            return
        yield chunk

"""semonitor.py on a file or stdin."""

from __future__ import annotations

import time
from collections.abc import Collection

from se.capture.unpack import unpack_messages
from se.errors import InputError, NoMessageError
from se.files.names import display_name
from se.files.read import modified, read_chunks
from se.keys import SessionStore
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.options import FileOptions
from se.stop import Stop
from se.stream import Mark, Stream
from se.wire.keyring import DecryptionFailure
from se.wire.message import Message
from se.wire.session import RecentMessages, Session


class FileSource:
    """A file, followed or not, or stdin; opened by its making, which raises InputError."""

    inverters: Collection[int] = ()

    def __init__(self, options: FileOptions):
        self.name = display_name(options.datasource)
        self._path = options.datasource
        self._follow = options.follow
        self._chunks = read_chunks(options.datasource, follow=options.follow)

    def run(self, monitor: Monitor, store: SessionStore, stop: Stop) -> None:
        """Decode it to its end or a signal.

        Raises InputError where it is a damaged capture, and NoMessageError at its end if it holds
        no message.
        """
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
        session = Session(store.keyring, RecentMessages())
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
        for inverter in store.keyring.wrong_keys():
            monitor.complain(self.name, DecryptionFailure.WRONG_KEY, inverter)
        if size and not monitor.counts.received:
            raise NoMessageError(f"{self.name}: no SolarEdge message in {size} bytes")


def _until(stop: Stop, chunks: Stream[bytes]) -> Stream[bytes]:
    """The chunks up to Ctrl-C or SIGTERM."""
    for chunk in chunks:
        if stop.requested:
            return
        yield chunk

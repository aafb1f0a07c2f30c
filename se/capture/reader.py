"""Capture files: bytes in, in chunks of any size, packets out.

Strategy: what has come and is not yet a whole record is kept; every chunk is appended to it and
whole records are cut off its front. So a growing file is read as it grows, and the end of the
bytes inside a record is only an error when `close` says that nothing follows. The format (classic
pcap or pcapng) is chosen by the first four bytes; gzip is unpacked before they are looked at.

A record that cannot be (a length beyond all limits, a block that does not end where it says)
means that everything behind it is guesswork: the reader raises one InputError, after it has
given all packets before.

gzip: RFC 1952.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from se.capture.error_policy import ErrorPolicy
from se.capture.formats import MAGIC_LENGTH, FileFormat, Packet, format_of
from se.errors import InputError, NotCaptureError
from se.stream import Mark, Stream

GZIP = b"\x1f\x8b"
INFLATE = 1 << 16  # bytes unpacked at a time


class _Gunzip:
    """gzip unpacked on the fly: several members in a row, zeros behind the last one."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self.inside = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The contents, in pieces of bounded size. Raises zlib.error."""
        while data:
            if not self.inside and not (data := data.lstrip(b"\0")):
                return
            self.inside = True
            before = self._member.copy()
            try:
                yield self._member.decompress(data, INFLATE)
            except zlib.error:
                # once more byte by byte: gives all that comes before the damage, and raises there
                yield from (before.decompress(bytes([byte])) for byte in data)
            data = self._member.unconsumed_tail
            if self._member.eof:
                data = self._member.unused_data
                self._member = zlib.decompressobj(wbits=31)
                self.inside = False


class CaptureReader:
    """Reads one capture, whatever its format."""

    def __init__(self, name: str):
        """`name` is the file's, for the errors."""
        self._name = name
        self._data = b""
        self._gunzip: _Gunzip | None = None
        self._format: FileFormat | None = None
        self._is_damaged = False

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take more bytes; gives the packets that they complete.

        Raises InputError once, at the first record that is damaged, and NotCaptureError at the
        beginning of what is no capture at all. Whatever comes behind that is passed over.
        """
        if self._is_damaged:
            return
        try:
            for piece in self._unpacked(data):
                yield from self._packets(piece)
        except (ValueError, zlib.error) as error:
            self._is_damaged = True
            raise InputError(f"{self._name}: damaged capture: {error}") from error

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        if self._gunzip is None and self._format is None:
            data, self._data = self._data + data, b""
            if data.startswith(GZIP):
                self._gunzip = _Gunzip()
        if self._gunzip is None:
            yield data
        else:
            yield from self._gunzip.feed(data)

    def _packets(self, data: bytes) -> Iterator[Packet]:
        self._data += data
        if self._format is None:
            if len(self._data) < MAGIC_LENGTH:
                return
            self._format = self._recognise()
        at = 0
        while step := self._format.next_record(self._data, at):
            at, packet = step
            if packet:
                yield packet
        self._data = self._data[at:]

    def _recognise(self) -> FileFormat:
        found = format_of(self._data[:MAGIC_LENGTH])
        if found is None:
            self._is_damaged = True
            raise NotCaptureError(f"{self._name}: is no packet capture (neither pcap nor pcapng)")
        return found

    def close(self) -> None:
        """Nothing follows. Raises InputError where that is not the end of a record."""
        if self._is_damaged:
            return
        if self._gunzip and self._gunzip.inside:
            raise InputError(f"{self._name}: ends in the middle of its gzip data")
        if self._format is None:
            what = "is no packet capture (too short)" if self._data else "is empty"
            raise NotCaptureError(f"{self._name}: {what}")
        if self._data:
            raise InputError(f"{self._name}: ends in the middle of a packet")


def looks_like_capture(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes (4 are enough) is to be read as a capture."""
    return first_bytes.startswith(GZIP) or format_of(first_bytes[:MAGIC_LENGTH]) is not None


# The stream of each capture, with its name at every item; BROKEN stands between two.
Captures = Iterator[tuple[str, bytes | Mark]]


def read_packets(captures: Captures, policy: ErrorPolicy) -> Stream[Packet]:
    """The packets of all captures, and the marks between them."""
    reader = None
    for name, chunk in captures:
        if chunk is not Mark.IDLE:
            reader = reader or CaptureReader(name)
            try:
                if isinstance(chunk, bytes):
                    yield from reader.feed(chunk)
                    continue
                # a followed one may be cut off anywhere: its end is none
                if not (policy.follow and chunk is Mark.END):
                    reader.close()
            except InputError as error:
                policy.handle(error, at_end=isinstance(chunk, Mark))
            if isinstance(chunk, Mark):
                reader = None
        if isinstance(chunk, Mark):
            yield chunk

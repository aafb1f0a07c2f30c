"""Messages may come packed: in a packet capture, or written out in hex. Their first bytes tell."""

from __future__ import annotations

from collections.abc import Iterator

from se import files
from se.capture import hex_dump
from se.capture.layouts import MAGIC_LENGTH
from se.capture.reader import looks_like_capture


def unpack_messages(
    chunks: Iterator[bytes | None], name: str, *, follow: bool
) -> Iterator[bytes | None]:
    """The chunks of a stream of messages, from what `se.files.read_chunks` gives of a file.

    Of a capture those to the server, whichever it is. Raises InputError where one is damaged,
    after all that comes before.
    """
    start, chunks = files.peek(chunks, _is_undecided)
    if looks_like_capture(start):
        from se.extract import decode_capture  # loads dpkt, which nothing else here needs

        return decode_capture(chunks, name, follow=follow)
    return hex_dump.read_hex_dump(chunks) if hex_dump.looks_like_hex_dump(start) else chunks


def _is_undecided(start: bytes) -> bool:
    """Whether more bytes are needed; a message that begins decides: its magic number is no text."""
    if len(start) < MAGIC_LENGTH:
        return True
    return not looks_like_capture(start) and hex_dump.is_undecided(start)

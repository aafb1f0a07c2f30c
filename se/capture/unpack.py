"""Messages may come packed: in a packet capture, or written out in hex. Their first bytes tell."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from se.capture import hex_dump
from se.capture.formats import MAGIC_LENGTH
from se.capture.reader import looks_like_capture
from se.stream import Mark, Stream
from se.wire.message import Message


def unpack_messages(chunks: Stream[bytes], name: str, *, follow: bool) -> Stream[bytes | Message]:
    """The chunks of a stream of messages, from what `se.files.read_chunks` gives of a file.

    Of a capture the messages themselves, those to the server, whichever it is. Raises InputError
    where one is damaged, after all that comes before.
    """
    start, chunks = peek(chunks, _is_undecided)
    if looks_like_capture(start):
        from se.capture.extractor import decode_capture  # loads dpkt, which nothing else here needs

        return decode_capture(chunks, name, follow=follow)
    return hex_dump.read_hex_dump(chunks) if hex_dump.looks_like_hex_dump(start) else chunks


def _is_undecided(start: bytes) -> bool:
    """Whether more bytes are needed; a message that begins decides: its magic number is no text."""
    if len(start) < MAGIC_LENGTH:
        return True
    return not looks_like_capture(start) and hex_dump.is_undecided(start)


def peek(
    chunks: Stream[bytes], is_undecided: Callable[[bytes], bool]
) -> tuple[bytes, Stream[bytes]]:
    """The first bytes of a stream, as many as are needed to decide upon it, and the stream again.

    They are fewer where the stream ends before.
    """
    taken: list[bytes | Mark] = []
    start = b""
    for chunk in chunks:
        if chunk is Mark.IDLE:
            continue
        taken.append(chunk)
        start = start + chunk if isinstance(chunk, bytes) else b""
        if not is_undecided(start):
            break
    return start, itertools.chain(taken, chunks)

"""Messages written out in hex: bytes of text in, the bytes that it stands for out.

Two kinds of text: plain hex, as `xxd -p` writes it, and a debug log, of which the part of each
line behind `data:` counts.
"""

from __future__ import annotations

import string

from se.stream import Mark, Stream

_MARK = b"data:"
_DIGITS = b"0123456789abcdefABCDEF"
_SPACE = b" \t\r\n"
_TEXT = string.printable.encode() + bytes(range(0x80, 0x100))  # in whatever encoding
_ENOUGH = 4096  # bytes in which a debug log shows what it is
_MAGIC_DIGITS = 8  # so many digits come first: those of a message's magic number


class HexDumpReader:
    """Reads text in chunks of any size."""

    def __init__(self) -> None:
        self._line = b""

    def feed(self, text: bytes) -> bytes:
        """Take more text; gives the bytes in the lines that it completes."""
        *lines, self._line = (self._line + text).split(b"\n")
        return b"".join(map(_parse_line, lines))

    def close(self) -> bytes:
        """Nothing follows: the last line is complete, newline or not."""
        return self.feed(b"\n")


def _parse_line(line: bytes) -> bytes:
    """The bytes in a line; none where it holds anything but hex digits."""
    digits = line.rpartition(_MARK)[2].translate(None, _SPACE)
    return bytes.fromhex(digits.decode()) if _is_hex(digits) else b""


def _is_hex(digits: bytes) -> bool:
    return len(digits) % 2 == 0 and not digits.translate(None, _DIGITS)


def read_hex_dump(chunks: Stream[bytes]) -> Stream[bytes]:
    """The bytes that chunks of text stand for; marks are passed on."""
    reader = HexDumpReader()
    for chunk in chunks:
        if isinstance(chunk, bytes):
            yield reader.feed(chunk)
            continue
        if chunk is not Mark.IDLE:
            yield reader.close()
        yield chunk


def looks_like_hex_dump(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes is such a text."""
    return _is_text(first_bytes) and (_is_plain(first_bytes) or _MARK in first_bytes)


def is_undecided(first_bytes: bytes) -> bool:
    """Whether more bytes may change what `looks_like_hex_dump` says of these."""
    if len(first_bytes) >= _ENOUGH or not _is_text(first_bytes) or _MARK in first_bytes:
        return False
    return b"\n" not in first_bytes or not _is_plain(first_bytes)


def _is_text(first_bytes: bytes) -> bool:
    return not first_bytes.translate(None, _TEXT)


def _is_plain(first_bytes: bytes) -> bool:
    """Whether the first line, and as much of the next ones as is needed, is all hex digits."""
    first_line = first_bytes.split(b"\n")[0].translate(None, _SPACE)
    digits = first_bytes.translate(None, _SPACE)[:_MAGIC_DIGITS]
    return len(digits) == _MAGIC_DIGITS and not (first_line + digits).translate(None, _DIGITS)

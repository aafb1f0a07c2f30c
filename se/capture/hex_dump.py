"""Messages written out in hex: bytes of text in, the bytes that it stands for out.

Two kinds of text: plain hex, as `xxd -p` writes it, and a debug log, of which the part of each
line behind `data:` counts.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator

_MARK = b"data:"
_DIGITS = b"0123456789abcdefABCDEF"
_SPACE = b" \t\r\n"
_TEXT = string.printable.encode()
ENOUGH = 4096  # bytes in which a debug log shows what it is
_FIRST_LINE = 8  # digits that the first line has at least: those of a message's magic number


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


def read_hex_dump(chunks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """The bytes that chunks of text stand for; None, where another text begins, is passed on."""
    reader = HexDumpReader()
    for chunk in chunks:
        if chunk is None:
            yield reader.close()
            yield None
        else:
            yield reader.feed(chunk)
    yield reader.close()


def looks_like_text(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes may be such a text."""
    return bool(first_bytes) and not first_bytes.translate(None, _TEXT)


def looks_like_hex_dump(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes (`ENOUGH` of them, or all) is such a text."""
    if not looks_like_text(first_bytes):
        return False
    first_line = first_bytes.split(b"\n")[0].translate(None, _SPACE)
    is_plain = len(first_line) >= _FIRST_LINE and not first_line.translate(None, _DIGITS)
    return is_plain or _MARK in first_bytes

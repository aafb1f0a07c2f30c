"""Lines of a file or stdin that may still grow."""

from __future__ import annotations

from collections.abc import Iterator

from se.files import read_chunks

LINE_LIMIT = 1 << 24  # bytes; what has no line end for so long is handed out in pieces


def read_lines(path: str | None, *, follow: bool = False) -> Iterator[tuple[int, bytes] | None]:
    """Read lines without their ends, numbered from 1; None: nothing new at the moment.

    A last line without its end is waited for while the input may go on, and given where it ends
    or is truncated or replaced; after that the numbers begin at 1 again. Opens the input at once,
    follows as `read_chunks` does and raises what it raises.
    """
    return _split_lines(read_chunks(path, follow=follow))


def _split_lines(chunks: Iterator[bytes | None]) -> Iterator[tuple[int, bytes] | None]:
    number, rest = 1, b""
    for chunk in chunks:
        if chunk:
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_LIMIT:
                lines, rest = [*lines, rest], b""
            yield from enumerate(lines, number)
            number += len(lines)
        elif chunk is not None:
            yield None
        else:
            if rest:
                yield number, rest
            number, rest = 1, b""
    if rest:
        yield number, rest

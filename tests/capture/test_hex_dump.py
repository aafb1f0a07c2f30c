"""Messages written out in hex: plain, and in debug logs."""

from __future__ import annotations

import subprocess

import pytest

from se.capture.hex_dump import HexDumpReader, looks_like_hex_dump, read_hex_dump
from se.stream import Mark

DATA = bytes.fromhex("123456790000ffff2702efbeaddefeffffff0005b320") * 3


def read(text: bytes, size: int) -> bytes:
    reader = HexDumpReader()
    pieces = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return b"".join(pieces) + reader.close()


def lines(prefix: str, separator: str = " ") -> str:
    return "".join(
        f"{prefix}{DATA[at : at + 16].hex(separator)}\n" for at in range(0, len(DATA), 16)
    )


TEXTS = {
    "one line": DATA.hex(),
    "one line, upper case": DATA.hex().upper() + "\n",
    "debug log": "Jan  1 12:00:00 semonitor: message -->\n" + lines("Jan  1 12:00:00 data: "),
    "debug log, wide": lines("2026-01-01 12:00:00,123 [4711] data:       ").replace("\n", "\r\n"),
    "bytes apart": lines(""),
    "one byte a line": "".join(f"{byte:02x}\n" for byte in DATA),
    "debug log of a path with an umlaut": "INFO reading /t\u00fcr.dat\n" + lines("INFO data: "),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_text_gives_the_bytes_however_it_is_cut(text: str, size: int) -> None:
    assert read(text.encode(), size) == DATA
    assert looks_like_hex_dump(text.encode())


def test_another_text_begins_with_its_own_first_line() -> None:
    chunks = read_hex_dump(iter([b"123456", Mark.BROKEN, Mark.IDLE, b"12\n34", b"5679", Mark.END]))
    assert list(chunks) == [
        *(b"", bytes.fromhex("123456"), Mark.BROKEN, Mark.IDLE),
        *(b"\x12", b"", b"\x34\x56\x79", Mark.END),
    ]


@pytest.mark.system
def test_what_xxd_writes_is_read() -> None:
    try:
        made = subprocess.run(["xxd", "-p"], input=DATA, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("xxd is not installed")
    assert looks_like_hex_dump(made.stdout)
    assert read(made.stdout, 1000) == DATA


def test_lines_that_are_no_hex_are_passed_over() -> None:
    text = "data: 1234\nmetadata: xyz\nno hex\n123\ndata: 56 79\n"
    assert read(text.encode(), 1000) == bytes.fromhex("12345679")


@pytest.mark.parametrize(
    "first_bytes", [b"", b"1234", DATA, b"Dear diary", b"12345678 what?\n", b"12345679\0", b"\xff"]
)
def test_other_files_do_not_look_like_a_hex_dump(first_bytes: bytes) -> None:
    assert not looks_like_hex_dump(first_bytes)

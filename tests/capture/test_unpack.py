"""What messages come packed in is told by the first bytes."""

from __future__ import annotations

import itertools

import pytest

from se.capture.unpack import peek, unpack_messages
from se.errors import InputError
from se.stream import Mark, Stream
from se.wire.message import Message
from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.pcap_writer import Connection

DATA = site.joined(site.SENT)
PCAP = writer.pcap(writer.frames(site.conversation(Connection(), site.SENT)))


Unpacked = list[bytes | Message | Mark]


def unpacked(*chunks: bytes | Mark, follow: bool = False) -> Unpacked:
    *pieces, end = unpack_messages(iter([*chunks, Mark.END]), "x", follow=follow)
    assert end is Mark.END
    return pieces


def joined(pieces: Unpacked) -> bytes:
    found = (piece.to_bytes() if isinstance(piece, Message) else piece for piece in pieces)
    return b"".join(piece for piece in found if isinstance(piece, bytes))


@pytest.mark.parametrize("chunk", [DATA, b"\x80" + DATA, b"", b"\x12", b"Dear diary", b"1234"])
def test_messages_and_anything_else_stay_as_they_are(chunk: bytes) -> None:
    assert unpacked(*([chunk] if chunk else [])) == ([chunk] if chunk else [])


def test_captures_and_hex_dumps_are_unpacked_however_they_are_cut() -> None:
    for packed in (PCAP, DATA.hex().encode()):
        for size in (1, 3, len(packed)):
            pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
            assert joined(unpacked(*pieces)) == DATA
    assert unpacked(PCAP) == site.SENT


def test_what_comes_behind_printable_noise_is_given_at_once() -> None:
    def pipe() -> Stream[bytes]:
        yield b"\r\n\r\n"
        yield Mark.IDLE
        yield DATA[:1]
        pytest.fail("more was asked for")

    chunks = unpack_messages(pipe(), "x", follow=False)
    assert [next(chunks), next(chunks)] == [b"\r\n\r\n", DATA[:1]]


@pytest.mark.parametrize("text", ["12\n34\n56\n79\n", "data: 12345679\n"])
def test_hex_dumps_are_recognised_as_soon_as_they_can_be(text: str) -> None:
    def pipe() -> Stream[bytes]:
        yield from (character.encode() for character in text)
        pytest.fail("more was asked for")

    chunks = unpack_messages(pipe(), "x", follow=False)
    assert joined(list(itertools.islice(chunks, len(text))))


def test_a_followed_capture_that_is_replaced_goes_on_with_the_new_one() -> None:
    pieces = unpacked(PCAP[:-5], Mark.BROKEN, PCAP, follow=True)
    assert joined(pieces) == DATA  # the new one has the same packets


def test_a_capture_that_ends_too_early_is_an_error_unless_it_is_followed() -> None:
    with pytest.raises(InputError, match="x: ends in the middle of a packet"):
        unpacked(PCAP[:-5])
    assert unpacked(PCAP[:-5], follow=True)


def test_peeking_takes_nothing_away() -> None:
    stream: list[bytes | Mark] = [b"a", Mark.IDLE, b"bc", b"defg", Mark.BROKEN, b"h"]
    start, chunks = peek(iter(stream), lambda start: len(start) < 4)
    assert start == b"abcdefg"
    assert list(chunks) == [b"a", b"bc", b"defg", Mark.BROKEN, b"h"]


def test_peeking_into_a_short_stream_and_over_a_border() -> None:
    stream: list[bytes | Mark] = [b"a", Mark.BROKEN, b"bc"]
    start, chunks = peek(iter(stream), lambda start: len(start) < 4)
    assert start == b"bc"
    assert list(chunks) == [b"a", Mark.BROKEN, b"bc"]

"""Reading capture files: every format, cut anywhere, damaged anywhere."""

from __future__ import annotations

import gzip
import io
import struct

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.capture.formats import MAX_BLOCK, MAX_PACKET, Packet
from se.capture.reader import CaptureReader, looks_like_capture
from se.errors import InputError, NotCaptureError
from tests.support import pcap_writer as writer
from tests.support.pcap_writer import Frame

FRAMES = [
    Frame(1_700_000_000.25, b"first packet", 12),
    Frame(1_700_000_001.5, b"", 60),
    Frame(1_700_000_002.000001, b"cut by the snap length", 1500),
]


def packets(link_type: int = 1, frames: list[Frame] = FRAMES) -> list[Packet]:
    return [Packet(frame.time, link_type, frame.data, frame.length) for frame in frames]


def read(data: bytes, size: int | None = None) -> list[Packet]:
    reader = CaptureReader("x.pcap")
    found: list[Packet] = []
    for at in range(0, len(data), size or len(data) or 1):
        found.extend(reader.feed(data[at : at + (size or len(data))]))
    reader.close()
    return found


def read_until_damage(data: bytes) -> tuple[list[Packet], str]:
    """The packets before the damage, and what is said of it."""
    reader = CaptureReader("x.pcap")
    found = []
    with pytest.raises(InputError) as caught:
        for packet in reader.feed(data):
            found.append(packet)
        reader.close()
    return found, str(caught.value)


def sections(order: str = "<") -> bytes:
    """Two sections, the second in the other byte order and with other interfaces."""
    other = ">" if order == "<" else "<"
    return b"".join(
        (
            writer.section(order),
            writer.interface(1, order),
            writer.interface(101, order, resolution=9),
            writer.enhanced_packet(FRAMES[0], order),
            writer.enhanced_packet(FRAMES[1], order, number=1, fractions=10**9),
            writer.section(other),
            writer.block(0x0BAD, b"of a kind that nobody knows", other),
            writer.interface(113, other, resolution=0x94, offset=1_000_000),
            writer.enhanced_packet(FRAMES[2], other, fractions=2**20, offset=1_000_000),
        )
    )


FILES = {
    "microseconds": writer.pcap(FRAMES),
    "microseconds, big-endian": writer.pcap(FRAMES, order=">"),
    "nanoseconds": writer.pcap(FRAMES, fractions=10**9),
    "nanoseconds, big-endian": writer.pcap(FRAMES, order=">", fractions=10**9),
    "Fritz!Box": writer.pcap(FRAMES, fritz_box=True),
    "Fritz!Box, big-endian": writer.pcap(FRAMES, fritz_box=True, order=">"),
    "pcapng": writer.pcapng(FRAMES),
    "pcapng, big-endian": writer.pcapng(FRAMES, order=">"),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_every_format_is_recognised_by_its_content(data: bytes) -> None:
    assert read(data) == packets()
    assert looks_like_capture(data[:4])


@pytest.mark.parametrize("data", [*FILES.values(), sections()], ids=[*FILES, "sections"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_packets_do_not_depend_on_how_the_file_is_cut(data: bytes, size: int) -> None:
    assert read(data, size) == read(data)
    packed = gzip.compress(data)
    assert looks_like_capture(packed[:4])
    assert read(packed, size) == read(data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sections_have_their_own_byte_order_interfaces_and_clocks(order: str) -> None:
    first, second, third = read(sections(order))
    assert [first, second] == [packets(1)[0], packets(101)[1]]
    assert third.time == pytest.approx(FRAMES[2].time, abs=2e-6)
    assert third == packets(113)[2]._replace(time=third.time)


def test_dpkt_reads_what_the_writer_of_the_tests_writes() -> None:
    for name in ("microseconds", "nanoseconds", "pcapng"):
        found = dpkt.pcap.UniversalReader(io.BytesIO(FILES[name]))
        assert [data for _, data in found] == [frame.data for frame in FRAMES]


@pytest.mark.parametrize("order", ["<", ">"])
def test_old_and_simple_packet_blocks_are_read(order: str) -> None:
    ticks = round(FRAMES[0].time * 1_000_000)
    old = struct.pack(order + "HHIIII", 0, 0, ticks >> 32, ticks & 0xFFFFFFFF, 12, 12)
    data = b"".join(
        (
            writer.section(order),
            writer.interface(1, order, snap_length=5),
            writer.block(2, old + b"first packet", order),
            writer.block(3, struct.pack(order + "I", 9) + b"cut t", order),
            writer.block(3, struct.pack(order + "I", 4) + b"tiny", order),
        )
    )
    time = FRAMES[0].time
    assert read(data) == [
        Packet(time, 1, b"first packet", 12),
        Packet(time, 1, b"cut t", 9),
        Packet(time, 1, b"tiny", 4),
    ]


def test_gzip_of_several_members_and_trailing_zeros_is_one_file() -> None:
    data = FILES["microseconds"]
    packed = gzip.compress(data[:50]) + gzip.compress(data[50:51]) + gzip.compress(data[51:])
    assert read(packed + bytes(512)) == packets()


def test_a_packed_gigabyte_of_zeros_is_not_unpacked_at_once() -> None:
    pieces = list(CaptureReader("x.gz")._unpacked(gzip.compress(bytes(1 << 24))))
    assert max(map(len, pieces)) <= 1 << 16


def test_the_bits_above_the_link_type_are_not_part_of_it() -> None:
    assert read(writer.pcap(FRAMES, 0x44000001)) == packets(1)


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_an_end_inside_a_packet_is_told_and_what_came_before_kept(data: bytes) -> None:
    found, what = read_until_damage(data[:-1])
    assert found == packets()[:2]
    assert what == "x.pcap: ends in the middle of a packet"


def test_an_end_inside_gzip_data_is_told_and_what_came_before_kept() -> None:
    found, what = read_until_damage(gzip.compress(FILES["microseconds"])[:-9])
    assert found
    assert what == "x.pcap: ends in the middle of its gzip data"


def test_damaged_gzip_data_gives_all_that_comes_before() -> None:
    packed = bytearray(gzip.compress(FILES["microseconds"]))
    packed[-5] ^= 1  # the checksum
    found, what = read_until_damage(bytes(packed))
    assert found == packets()
    assert "damaged capture" in what


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "x.pcap: is empty"),
        (b"\xa1\xb2", "x.pcap: is no packet capture (too short)"),
        (b"Dear diary", "x.pcap: is no packet capture (neither pcap nor pcapng)"),
        (
            gzip.compress(b"Dear diary", mtime=0),
            "x.pcap: is no packet capture (neither pcap nor pcapng)",
        ),
    ],
)
def test_what_is_no_capture_is_said_to_be_none(data: bytes, what: str) -> None:
    with pytest.raises(NotCaptureError) as caught:
        read(data)
    assert str(caught.value) == what
    assert not looks_like_capture(data) or data.startswith(b"\x1f\x8b")


def pcapng_with(damage: bytes) -> bytes:
    return writer.pcapng(FRAMES[:1]) + damage + writer.enhanced_packet(FRAMES[1])


DAMAGE = {
    "a packet longer than any": writer.pcap(FRAMES[:1])
    + struct.pack("<IIII", 1, 1, MAX_PACKET + 1, MAX_PACKET + 1),
    "zeros of a file system": writer.pcap(FRAMES[:1]) + bytes(100),
    "a block longer than any": pcapng_with(struct.pack("<III", 6, MAX_BLOCK + 4, 0)),
    "a block without a length": pcapng_with(struct.pack("<III", 6, 0, 0)),
    "a block of an odd length": pcapng_with(struct.pack("<III", 6, 33, 0)),
    "a block that does not end": pcapng_with(struct.pack("<IIII", 5, 16, 0, 20)),
    "a packet beyond its block": pcapng_with(
        writer.block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99) + b"short")
    ),
    "a packet of no interface": pcapng_with(writer.enhanced_packet(FRAMES[0], number=1)),
    "a block too short for its kind": pcapng_with(writer.block(6, b"1234")),
    "a section of no byte order": pcapng_with(writer.block(0x0A0D0D0A, bytes(16))),
    "an option beyond its block": pcapng_with(
        writer.block(1, struct.pack("<HHIHH", 1, 0, 0, 14, 8) + b"1234")
    ),
}


@pytest.mark.parametrize("data", DAMAGE.values(), ids=DAMAGE)
def test_damage_ends_the_capture_with_one_error_and_keeps_what_came_before(data: bytes) -> None:
    found, what = read_until_damage(data)
    assert found == packets()[:1]
    assert what.startswith("x.pcap: damaged capture: ")


def test_behind_the_damage_nothing_is_read_and_nothing_more_is_said() -> None:
    reader = CaptureReader("x.pcap")
    with pytest.raises(InputError):
        list(reader.feed(DAMAGE["zeros of a file system"]))
    assert list(reader.feed(writer.pcap(FRAMES))) == []
    reader.close()


@given(
    name=st.sampled_from(sorted(FILES)),
    packed=st.booleans(),
    cut=st.integers(0, 400),
    flips=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 255)), max_size=4),
    size=st.integers(1, 100),
)
def test_a_damaged_capture_raises_nothing_but_an_input_error(
    name: str, packed: bool, cut: int, flips: list[tuple[int, int]], size: int
) -> None:
    data = bytearray(gzip.compress(FILES[name]) if packed else FILES[name])
    for at, change in flips:
        data[at % len(data)] ^= change
    reader = CaptureReader("x.pcap")
    try:
        for at in range(0, cut, size):
            list(reader.feed(bytes(data[at : at + size])))
        reader.close()
    except InputError as error:
        assert str(error).startswith("x.pcap: ")

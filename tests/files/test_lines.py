"""Numbered lines out of chunks, whole files and files that grow."""

import os

from hypothesis import given
from hypothesis import strategies as st

from se.files import read
from se.files.read import _split_lines, read_lines
from se.stream import Mark


def test_lines_are_numbered_and_the_last_one_needs_no_end(tmp_path):
    path = tmp_path / "day.json"
    path.write_bytes(b"one\n\ntwo\r\nthree")
    assert list(read_lines(str(path))) == [
        (1, b"one"),
        (2, b""),
        (3, b"two\r"),
        (4, b"three"),
        Mark.END,
    ]


def test_a_half_written_line_waits_for_its_rest_while_following(tmp_path):
    path = tmp_path / "day.json"
    path.write_bytes(b"one\ntw")
    following = read_lines(str(path), follow=True)
    assert [next(following), next(following)] == [(1, b"one"), Mark.IDLE]
    with open(path, "ab") as file:
        file.write(b"o\nthr")
    assert [next(following), next(following)] == [(2, b"two"), Mark.IDLE]


def test_a_truncated_file_begins_with_line_1_again(tmp_path):
    path = tmp_path / "day.json"
    path.write_bytes(b"one\ntwo\nhal")
    following = read_lines(str(path), follow=True)
    assert [next(following) for _ in range(3)] == [(1, b"one"), (2, b"two"), Mark.IDLE]
    path.write_bytes(b"new\n")
    assert [next(following) for _ in range(3)] == [(3, b"hal"), Mark.BROKEN, (1, b"new")]


def test_a_rotated_file_begins_with_line_1_again(tmp_path):
    path = tmp_path / "day.json"
    path.write_bytes(b"one\n")
    following = read_lines(str(path), follow=True)
    assert [next(following), next(following)] == [(1, b"one"), Mark.IDLE]
    os.rename(path, tmp_path / "day.json.1")
    path.write_bytes(b"new\n")
    assert [next(following), next(following)] == [Mark.BROKEN, (1, b"new")]


@given(st.lists(st.sampled_from([b"a", b"bc\n", b"\n", b"d\ne"])))
def test_lines_do_not_depend_on_how_the_input_is_cut(chunks):
    whole = b"".join(chunks)
    expected = list(enumerate(whole.split(b"\n"), 1))
    if not expected[-1][1]:
        expected.pop()
    assert list(_split_lines(iter([*chunks, Mark.END]))) == [*expected, Mark.END]


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "LINE_LIMIT", 100_000)
    path = tmp_path / "zeros"
    path.write_bytes(bytes(1_000_000) + b"\nnext\n")
    *numbered, _ = read_lines(str(path))
    *pieces, last = [line for _, line in numbered]
    assert b"".join(pieces) == bytes(1_000_000)
    assert max(map(len, pieces)) <= 100_000 + (1 << 16)
    assert last == b"next"

"""Files in chunks and in numbered lines: whole, piped, and as they grow."""

import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se.errors import InputError
from se.files import read
from se.files.read import CHUNK, _split_lines, read_chunks, read_lines
from se.stream import Mark, Stream

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "file"


def joined(chunks: list[bytes | Mark]) -> bytes:
    return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))


def take(chunks: Stream[bytes], size: int) -> list[bytes | Mark]:
    """Read until `size` bytes came; pauses are left out."""
    taken: list[bytes | Mark] = []
    deadline = time.monotonic() + 10
    for chunk in chunks:
        if chunk is not Mark.IDLE:
            taken.append(chunk)
        if len(joined(taken)) >= size:
            return taken
        assert time.monotonic() < deadline, taken
    return taken


def test_a_file_is_read_to_its_end(path: pathlib.Path) -> None:
    content = os.urandom(3 * CHUNK + 5)
    path.write_bytes(content)
    *chunks, end = read_chunks(str(path))
    assert joined(chunks) == content
    assert end is Mark.END


def test_an_empty_file_has_no_chunks(path: pathlib.Path) -> None:
    path.touch()
    assert list(read_chunks(str(path))) == [Mark.END]


@pytest.mark.parametrize(("name", "reason"), [("none", "No such file"), (".", "Is a directory")])
def test_what_cannot_be_read_is_known_before_the_first_chunk(
    tmp_path: pathlib.Path, name: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        read_chunks(str(tmp_path / name))


def test_a_file_that_fails_while_it_is_read_is_named() -> None:
    with pytest.raises(InputError, match="/proc/self/mem: "):
        list(read_chunks("/proc/self/mem"))


def test_a_pipe_gives_what_comes_until_it_is_closed() -> None:
    program = (
        "from se.files.read import read_chunks\n"
        "print([chunk for chunk in read_chunks('-') if isinstance(chunk, bytes)])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"one")
        process.stdin.flush()
        time.sleep(0.3)
        process.stdin.close()
        assert process.stdout.read() == b"[b'one']\n"


def test_a_fifo_is_waited_for_in_short_steps(path: pathlib.Path) -> None:
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"late"))
    writer.start()
    assert b"late" in list(read_chunks(str(path)))
    writer.join()


def test_a_followed_file_gives_what_is_appended(path: pathlib.Path) -> None:
    path.write_bytes(b"one")
    chunks = read_chunks(str(path), follow=True)
    assert take(chunks, 3) == [b"one"]
    assert next(chunks) is Mark.IDLE
    with path.open("ab") as file:
        file.write(b"two")
    assert take(chunks, 3) == [b"two"]


def test_a_truncated_file_is_followed_from_its_start(path: pathlib.Path) -> None:
    path.write_bytes(b"a long beginning")
    chunks = read_chunks(str(path), follow=True)
    take(chunks, 16)
    path.write_bytes(b"new")
    assert take(chunks, 3) == [Mark.BROKEN, b"new"]


def test_a_replaced_file_is_read_to_its_end_and_then_the_new_one(path: pathlib.Path) -> None:
    path.write_bytes(b"old")
    chunks = read_chunks(str(path), follow=True)
    take(chunks, 3)
    with path.open("ab") as old:
        path.rename(path.with_suffix(".1"))
        assert next(chunks) is Mark.IDLE
        old.write(b" end")
    path.write_bytes(b"new")
    assert take(chunks, 7) == [b" end", Mark.BROKEN, b"new"]


def test_redirected_stdin_is_followed_too(path: pathlib.Path) -> None:
    path.write_bytes(b"one")
    program = (
        "from se.files.read import read_chunks\n"
        "for chunk in read_chunks(None, follow=True):\n"
        "    if isinstance(chunk, bytes): print(chunk, flush=True)\n"
    )
    with (
        path.open("rb") as stdin,
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=stdin, stdout=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"b'one'\n"
        with path.open("ab") as file:
            file.write(b"two")
        assert process.stdout.readline() == b"b'two'\n"
        process.kill()


def test_a_file_named_stdin_is_not_taken_for_stdin(path: pathlib.Path) -> None:
    path.write_bytes(b"one")
    (path.parent / "stdin").write_bytes(b"another file")
    program = (
        "from se.files.read import read_chunks\n"
        "for chunk in read_chunks(None, follow=True):\n"
        "    if getattr(chunk, 'name', '') != 'IDLE': print(chunk, flush=True)\n"
    )
    with (
        path.open("rb") as stdin,
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=stdin,
            stdout=subprocess.PIPE,
            cwd=path.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"b'one'\n"
        time.sleep(0.2)
        with path.open("ab") as file:
            file.write(b"two")
        assert process.stdout.readline() == b"b'two'\n"
        process.kill()


def test_a_closed_stdin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="stdin is closed"):
        read_chunks("-")


def test_lines_are_numbered_and_the_last_one_needs_no_end(path: pathlib.Path) -> None:
    path.write_bytes(b"one\n\ntwo\r\nthree")
    assert list(read_lines(str(path))) == [
        (1, b"one"),
        (2, b""),
        (3, b"two\r"),
        (4, b"three"),
        Mark.END,
    ]


def test_a_half_written_line_waits_for_its_rest_while_following(path: pathlib.Path) -> None:
    path.write_bytes(b"one\ntw")
    following = read_lines(str(path), follow=True)
    assert [next(following), next(following)] == [(1, b"one"), Mark.IDLE]
    with open(path, "ab") as file:
        file.write(b"o\nthr")
    assert [next(following), next(following)] == [(2, b"two"), Mark.IDLE]


def test_a_truncated_file_begins_with_line_1_again(path: pathlib.Path) -> None:
    path.write_bytes(b"one\ntwo\nhal")
    following = read_lines(str(path), follow=True)
    assert [next(following) for _ in range(3)] == [(1, b"one"), (2, b"two"), Mark.IDLE]
    path.write_bytes(b"new\n")
    assert [next(following) for _ in range(3)] == [(3, b"hal"), Mark.BROKEN, (1, b"new")]


def test_a_rotated_file_begins_with_line_1_again(path: pathlib.Path) -> None:
    path.write_bytes(b"one\n")
    following = read_lines(str(path), follow=True)
    assert [next(following), next(following)] == [(1, b"one"), Mark.IDLE]
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"new\n")
    assert [next(following), next(following)] == [Mark.BROKEN, (1, b"new")]


@given(st.lists(st.sampled_from([b"a", b"bc\n", b"\n", b"d\ne"])))
def test_lines_do_not_depend_on_how_the_input_is_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    expected = list(enumerate(whole.split(b"\n"), 1))
    if not expected[-1][1]:
        expected.pop()
    assert list(_split_lines(iter([*chunks, Mark.END]))) == [*expected, Mark.END]


def test_a_line_without_an_end_does_not_fill_the_memory(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "LINE_LIMIT", 100_000)
    path.write_bytes(bytes(1_000_000) + b"\nnext\n")
    *pieces, last = [step[1] for step in read_lines(str(path)) if not isinstance(step, Mark)]
    assert b"".join(pieces) == bytes(1_000_000)
    assert max(map(len, pieces)) <= 100_000 + (1 << 16)
    assert last == b"next"

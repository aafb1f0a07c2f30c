"""Captures where they lie, step by step: a folder in which files come, go and change."""

from __future__ import annotations

import os
import pathlib

import pytest

from se.capture.error_policy import ErrorPolicy
from se.capture.reader import Captures
from se.errors import InputError
from se.programs import captures
from se.programs.captures import open_captures
from se.stream import Mark
from tests.support import pcap_writer as writer

EMPTY = writer.pcap([])
START = EMPTY[:4]  # tells that a file is a capture


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("se.files.read.POLL_S", 0)
    monkeypatch.setattr("se.programs.captures.POLL_S", 0)


def follow(folder: pathlib.Path, output: pathlib.Path | None = None) -> Captures:
    policy = ErrorPolicy(is_folder=True, follow=True)
    return open_captures(str(folder), policy, output=str(output) if output else None)


def steps(source: Captures, count: int = 60) -> Captures:
    """What comes in some steps, pauses left out."""
    for _ in range(count):
        path, chunk = next(source)
        if chunk is not Mark.IDLE:
            data = chunk.removeprefix(START) if isinstance(chunk, bytes) else chunk
            yield pathlib.Path(path).name, data


def test_an_empty_folder_is_waited_for(tmp_path: pathlib.Path) -> None:
    source = follow(tmp_path)
    assert list(steps(source)) == []
    (tmp_path / "a").write_bytes(EMPTY)
    assert list(steps(source)) == [("a", EMPTY[4:])]


def test_of_the_files_that_are_there_only_the_newest_is_read(tmp_path: pathlib.Path) -> None:
    for name, time in (("a", 1), ("b", 3), ("c", 2)):
        (tmp_path / name).write_bytes(START + name.encode())
        os.utime(tmp_path / name, (time, time))
    source = follow(tmp_path)
    assert list(steps(source)) == [("b", b"b")]
    (tmp_path / "c").write_bytes(START + b"c that has grown")
    assert list(steps(source)) == []


def test_newer_files_come_in_their_order_once_the_one_before_is_read(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "a").write_bytes(START + b"a")
    source = follow(tmp_path)
    assert next(source)[1] == START + b"a"
    for name, time in (("c", 2e9), ("b", 3e9)):
        (tmp_path / name).write_bytes(START + name.encode())
        os.utime(tmp_path / name, (time, time))
    with (tmp_path / "a").open("ab") as file:
        file.write(b" goes on")
    expected = [
        ("a", b" goes on"),
        ("a", Mark.BROKEN),
        ("c", b"c"),
        ("c", Mark.BROKEN),
        ("b", b"b"),
    ]
    assert list(steps(source)) == expected


def test_what_is_written_while_the_newer_file_is_found_is_not_lost(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(START + b"a")
    source = follow(tmp_path)
    assert next(source) == (str(path), START + b"a")
    pauses = captures._PAUSES_PER_LOOK
    for _ in range(pauses - 1):
        assert next(source)[1] is Mark.IDLE
    (tmp_path / "b").write_bytes(START + b"b")
    assert next(source)[1] is Mark.IDLE  # this is when it is found
    with path.open("ab") as file:
        file.write(b" goes on")
    assert list(steps(source)) == [("a", b" goes on"), ("a", Mark.BROKEN), ("b", b"b")]


def test_a_file_that_is_deleted_before_its_turn_is_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(START + b"a")
    source = follow(tmp_path)
    assert list(steps(source, 2)) == [("a", b"a")]
    for name, time in (("b", 2e9), ("c", 3e9)):
        (tmp_path / name).write_bytes(START + name.encode())
        os.utime(tmp_path / name, (time, time))
    assert list(steps(source, captures._PAUSES_PER_LOOK)) == [("a", Mark.BROKEN)]
    (tmp_path / "b").unlink()
    assert list(steps(source)) == [("c", b"c")]


def test_a_file_that_is_deleted_while_the_folder_is_looked_at_does_no_harm(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(START + b"a")
    (tmp_path / "b").write_bytes(START + b"b")
    listed = captures._list_folder(str(tmp_path))
    (tmp_path / "b").unlink()
    monkeypatch.setattr(captures, "_list_folder", lambda path: listed)
    assert list(steps(follow(tmp_path))) == [("a", b"a")]


def test_a_renamed_file_is_not_new_and_one_written_anew_is(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(START + b"first a")
    source = follow(tmp_path)
    assert list(steps(source)) == [("a", b"first a")]
    (tmp_path / "b").write_bytes(START + b"b")
    assert list(steps(source)) == [("a", Mark.BROKEN), ("b", b"b")]
    (tmp_path / "a").rename(tmp_path / "old")
    (tmp_path / "b.gz").write_bytes(START + b"b, packed")
    assert list(steps(source)) == []
    (tmp_path / "old").write_bytes(START + b"new")
    assert list(steps(source)) == [("b", Mark.BROKEN), ("old", b"new")]


def test_the_output_is_never_an_input_of_a_followed_folder(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(START + b"a")
    output = tmp_path / "output"
    source = follow(tmp_path, output)
    assert list(steps(source)) == [("a", b"a")]
    output.write_bytes(START + b"output")  # not even when it looks like a capture
    (tmp_path / "same").hardlink_to(output)
    assert list(steps(source)) == []


def test_what_is_no_capture_is_told_once_and_does_not_end_the_capture_that_is_read(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a").write_bytes(START + b"a")
    (tmp_path / "notes.txt").write_text("Dear diary")
    os.utime(tmp_path / "notes.txt", (3e9, 3e9))
    source = follow(tmp_path)
    assert list(steps(source)) == [("a", b"a")]
    (tmp_path / "log.txt").write_text("What a lovely day")
    assert list(steps(source)) == []
    (tmp_path / "log.txt").write_text("and so on")
    assert list(steps(source)) == []
    with (tmp_path / "a").open("ab") as file:
        file.write(b" goes on")
    assert list(steps(source)) == [("a", b" goes on")]
    assert [message.removeprefix(f"{tmp_path}/") for message in caplog.messages] == [
        "notes.txt: is no packet capture (neither pcap nor pcapng): skipped",
        "log.txt: is no packet capture (neither pcap nor pcapng): skipped",
    ]


def test_an_empty_file_is_waited_for_while_the_one_before_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_bytes(START + b"a")
    source = follow(tmp_path)
    assert list(steps(source)) == [("a", b"a")]
    (tmp_path / "b").touch()
    assert list(steps(source)) == []
    (tmp_path / "b").write_bytes(START + b"b")
    assert list(steps(source)) == [("a", Mark.BROKEN), ("b", b"b")]


def test_a_folder_that_goes_away_ends_with_an_error(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    source = follow(folder)
    assert list(steps(source)) == []
    folder.rmdir()
    with pytest.raises(InputError, match="folder: No such file or directory"):
        next(source)

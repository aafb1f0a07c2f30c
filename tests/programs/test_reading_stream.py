"""The readings in a file, and what the converters say of its bad lines."""

from __future__ import annotations

import pathlib
import signal
from collections.abc import Iterator

import pytest

from se.programs.reading_stream import ReadingStream
from se.stop import Stop
from se.stream import Mark

LINE = b'{"inverters": {"7F1": {"dateTime": 1446289200, "Pac": 5}}}'


@pytest.fixture
def stop() -> Iterator[Stop]:
    with Stop() as stop:
        yield stop


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "in.json"


def test_each_line_is_its_readings(path: pathlib.Path, stop: Stop) -> None:
    path.write_bytes(LINE + b"\n\0\0\n\n" + LINE + b"\n")
    stream = ReadingStream(str(path), follow=False, stop=stop)
    found = [readings for readings in stream if isinstance(readings, list)]
    assert [[reading.identifiers for reading in readings] for readings in found] == [[("7F1",)]] * 2
    assert stream.bytes_read == path.stat().st_size
    assert stream.exit_code == 0


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"", 0, []),
        (b"no JSON\n" + LINE, 0, ["line 1: ", "1 of 2 lines skipped"]),
        (b"no JSON\n", 1, ["line 1: ", "1 of 1 lines skipped"]),
        (b'{"inverters": {"7F1": 5}}\n', 1, ["line 1: ", "1 of 1 lines skipped"]),
    ],
)
def test_bad_lines_are_told_and_an_input_of_nothing_else_is_a_failure(
    content: bytes,
    code: int,
    told: list[str],
    path: pathlib.Path,
    stop: Stop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path.write_bytes(content)
    stream = ReadingStream(str(path), follow=False, stop=stop)
    readings = [item for item in stream if item not in ([], Mark.END)]
    assert len(readings) == content.count(LINE)
    assert stream.exit_code == code
    assert len(caplog.messages) == len(told)
    assert all(map(str.startswith, caplog.messages, told))


def test_a_file_is_left_where_the_program_is_to_end(path: pathlib.Path, stop: Stop) -> None:
    path.write_bytes((LINE + b"\n") * 3)
    stream = ReadingStream(str(path), follow=False, stop=stop)
    readings = iter(stream)
    next(readings)
    signal.raise_signal(signal.SIGINT)
    assert list(readings) == []
    assert stream.exit_code == 130

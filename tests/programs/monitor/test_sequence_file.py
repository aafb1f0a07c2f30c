"""The file of transaction numbers: atomic, locked, never starting again on its own."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from se.errors import InputError, OutputError
from se.programs.monitor.sequence_file import NAME, SequenceFile

ROOT = pathlib.Path(__file__).parents[3]
DRAW = """
import sys
from se.programs.monitor.sequence_file import SequenceFile
numbers = SequenceFile(sys.argv[1])
for _ in range(int(sys.argv[2])):
    print(numbers.next_number(), flush=True)
"""


def draw(path: pathlib.Path, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DRAW, str(path), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def test_numbers_go_on_where_an_earlier_program_stopped(tmp_path: pathlib.Path) -> None:
    path = tmp_path / NAME
    assert [SequenceFile(str(path)).next_number() for _ in range(3)] == [1, 2, 3]
    assert path.read_text() == "3\n"


def test_the_file_stands_in_the_current_directory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    SequenceFile().next_number()
    assert (tmp_path / "seseq.dat").read_text() == "1\n"


def test_the_number_after_65535_is_1(tmp_path: pathlib.Path) -> None:
    path = tmp_path / NAME
    path.write_text("65534\n")
    numbers = SequenceFile(str(path))
    assert [numbers.next_number() for _ in range(2)] == [65535, 1]


@pytest.mark.parametrize("content", ["7", "7\n", "7\r\n", "00007  \n\n"])
def test_a_number_is_read_however_it_was_written(content: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / NAME
    path.write_text(content, newline="")
    assert SequenceFile(str(path)).next_number() == 8


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"0\n", b"65536\n", b"-1\n", b"1 2\n", b"x\n", b"\xb2", b"\0" * 6]
)
def test_a_damaged_file_is_an_error_and_stays_as_it_is(
    content: bytes, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: is damaged"):
        SequenceFile(str(path)).next_number()
    assert path.read_bytes() == content


def test_an_unreadable_file_is_an_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / NAME
    path.mkdir()
    with pytest.raises(InputError, match=f"{path}: Is a directory"):
        SequenceFile(str(path)).next_number()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "nowhere" / NAME
    with pytest.raises(OutputError, match="No such file or directory"):
        SequenceFile(str(path)).next_number()


def test_programs_at_once_never_use_the_same_number(tmp_path: pathlib.Path) -> None:
    path = tmp_path / NAME
    programs = [draw(path, 100) for _ in range(3)]
    numbers = [int(number) for program in programs for number in program.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 301))


def test_a_killed_program_leaves_a_file_that_is_not_behind(tmp_path: pathlib.Path) -> None:
    path = tmp_path / NAME
    last = 0
    for tenths in range(5):
        program = draw(path, 100_000)
        assert program.stdout is not None
        first = int(program.stdout.readline())
        assert first > last
        time.sleep(tenths / 50)
        os.kill(program.pid, signal.SIGKILL)
        last = int(([first, *map(int, program.communicate()[0].split(b"\n")[:-1])])[-1])
        assert int(path.read_text()) >= last
    SequenceFile(str(path)).next_number()
    assert sorted(os.listdir(tmp_path)) == [NAME, f"{NAME}.lock"]

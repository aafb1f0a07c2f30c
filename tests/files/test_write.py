"""Output files: overwritten, appended to, or replaced whole."""

import os
import pathlib
import signal
import stat
import subprocess
import sys
import time

import pytest

from se.errors import OutputError
from se.files.write import open_output, replace_file


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "file"


def test_an_output_is_overwritten_or_appended_to(path: pathlib.Path) -> None:
    for append, content in ((False, b"one\n"), (False, b"two\n"), (True, b"two\none\n")):
        with open_output(str(path), append=append, lines=True) as output:
            output.write(b"one\n" if append or content == b"one\n" else b"two\n")
        assert path.read_bytes() == content


def test_appending_ends_a_line_that_was_cut_short(path: pathlib.Path) -> None:
    path.write_bytes(b'{"whole": 1}\n{"cu')
    with open_output(str(path), append=True, lines=True) as output:
        output.write(b"{}\n")
    assert path.read_bytes() == b'{"whole": 1}\n{"cu\n{}\n'


def test_bytes_are_appended_as_they_are(path: pathlib.Path) -> None:
    path.write_bytes(b"\x12")
    with open_output(str(path), append=True) as output:
        output.write(b"\x34")
    assert path.read_bytes() == b"\x12\x34"


def test_an_output_that_cannot_be_opened_or_written_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OutputError, match="nowhere/file: No such file"):
        open_output(str(tmp_path / "nowhere" / "file"))
    with (
        pytest.raises(OutputError, match="/dev/full: No space left on device"),
        open_output("/dev/full") as output,
    ):
        output.write(b"x")


def test_a_closed_stdout_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="stdout is closed"):
        open_output(None)


def test_stdout_is_not_closed() -> None:
    with open_output("-") as output:
        assert output.name == "stdout"
    os.fstat(1)


def test_a_broken_pipe_is_no_output_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError), open_output(f"/dev/fd/{writer}") as output:
        output.write(b"x")
    os.close(writer)


def test_a_file_is_replaced_whole(path: pathlib.Path) -> None:
    path.write_bytes(b"old")
    with replace_file(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == [path.name]


def test_a_replacement_that_fails_leaves_the_old_file(path: pathlib.Path) -> None:
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="stop"), replace_file(str(path)) as file:
        file.write(b"new")
        raise ValueError("stop")
    with pytest.raises(OutputError, match="No space"), replace_file(str(path)) as file:
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OutputError, match="nowhere/file: No such file"):
        with replace_file(str(tmp_path / "nowhere" / "file")):
            pass


def test_permissions_are_those_of_the_old_file_or_those_asked_for(path: pathlib.Path) -> None:
    def mode() -> int:
        return stat.S_IMODE(path.stat().st_mode)

    umask = os.umask(0o027)
    with replace_file(str(path)):
        pass
    os.umask(umask)
    assert mode() == 0o640
    path.chmod(0o604)
    with replace_file(str(path)):
        pass
    assert mode() == 0o604
    with replace_file(str(path), mode=0o600):
        pass
    assert mode() == 0o600
    path.unlink()
    with replace_file(str(path), mode=0o600):
        pass
    assert mode() == 0o600


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_of_the_old_file_is_kept(path: pathlib.Path) -> None:
    path.touch()
    os.chown(path, 1234, 1235)
    with replace_file(str(path)):
        pass
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_a_link_is_written_through(path: pathlib.Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    with replace_file(str(link)) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_a_crash_leaves_the_old_file_or_the_new_one(path: pathlib.Path) -> None:
    program = (
        "import sys\n"
        "from se.files.write import replace_file\n"
        "for number in range(10**6):\n"
        "    with replace_file(sys.argv[1]) as file:\n"
        "        file.write(b'%d ' % number * 10000)\n"
        "    if not number: print(flush=True)\n"
    )
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        numbers = path.read_bytes().split()
        assert len(numbers) == 10000
        assert len(set(numbers)) == 1

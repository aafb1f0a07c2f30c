"""Files: reading, following, writing, replacing."""

import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from se.errors import InputError, OutputError
from se.files.names import refuse_same_file
from se.files.read import CHUNK, read_chunks
from se.files.write import open_output, replace_file
from se.stream import Mark, Stream

ROOT = pathlib.Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may do what is refused here")


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


def test_closed_standard_streams_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(InputError, match="stdin is closed"):
        read_chunks("-")
    with pytest.raises(OutputError, match="stdout is closed"):
        open_output(None)


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


def test_no_file_is_named_twice(path: pathlib.Path) -> None:
    path.touch()
    refuse_same_file(str(path), None, "-", "-", "/dev/null", "/dev/null", f"{path}.other")
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(OutputError, match=f"{link}: is the same file as {path}"):
        refuse_same_file(str(path), str(link))
    with pytest.raises(OutputError, match="is the same file"):
        refuse_same_file(f"{path}.new", None, f"{path.parent}/../{path.parent.name}/file.new")


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


@needs_root
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

"""The state file: whole at every moment, not written more often than needed."""

import itertools
import json
import os
import stat

import pytest

from se.errors import OutputError
from se.files.write import replace_file
from se.sinks import state as state_module
from se.sinks.readings import Reading
from se.sinks.state import PAUSE_S, StateFile

NOON = 1446289200


def inverter(at, pac=1.0):
    return Reading("inverters", ("7F1",), {"dateTime": at, "Pac": pac})


def pac(path):
    return json.loads(path.read_bytes())["inverters"]["7F1"]["Pac"]


class Clock:
    """Stands for the module `time`."""

    now = 1000.0

    def monotonic(self):
        return self.now

    def time(self):
        return NOON + 3600.0


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(state_module, "time", clock)
    return clock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "solar.json"


def test_the_file_is_there_from_the_start_as_one_line(path):
    StateFile(str(path))
    assert path.read_bytes() == b'{"inverters":{},"optimizers":{}}\n'


def test_it_starts_from_the_existing_file(path):
    path.write_text('{"inverters": {"7F1": {"dateTime": 1446289200, "Pac": NaN}}}')
    StateFile(str(path))
    assert json.loads(path.read_bytes()) == {
        "inverters": {"7F1": {"dateTime": NOON, "Pac": None}},
        "optimizers": {},
    }


def test_an_empty_file_is_like_none(path):
    path.write_bytes(b"\n")
    StateFile(str(path))
    assert json.loads(path.read_bytes()) == {"inverters": {}, "optimizers": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"a,b,c\n",
        b"{}\n{}\n",
        b"[]",
        b'{"name": "x"}',
        b"\xff\xfe",
        b'{"command": 18, "response": 144, "sequence": 1, "data": {"value": 3, "type": 0}}\n',
        b'{"inverters": {}, "Unknown_device_0x0017": {"30": {"devLen": 5}}}\n',
        b'{"settings": {"colour": {"red": 1}}}\n',
    ],
)
def test_a_file_that_holds_something_else_is_an_error_and_stays(path, content):
    path.write_bytes(content)
    with pytest.raises(OutputError, match=r"solar\.json: is no state file: "):
        StateFile(str(path))
    assert path.read_bytes() == content


def test_the_first_reading_shows_as_soon_as_the_input_falls_silent(path, clock):
    file = StateFile(str(path))
    clock.now += 60
    file.update([inverter(NOON, 5.0)])
    file.rest()
    assert pac(path) == 5.0


def test_readings_in_bulk_are_written_once_in_a_while(path, clock, monkeypatch):
    written = []
    file = StateFile(str(path))

    def counted(path):
        written.append(clock.now)
        return replace_file(path)

    monkeypatch.setattr(state_module, "replace_file", counted)
    for count in range(1000):
        clock.now += 0.01
        file.update([inverter(NOON + count, count)])
        if count % 3 == 0:
            file.rest()
    file.write()
    assert 10 <= len(written) <= 11
    assert all(b - a > PAUSE_S - 0.01 for a, b in itertools.pairwise(written[:-1]))
    assert pac(path) == 999


def test_what_changes_nothing_is_not_written(path, clock):
    file = StateFile(str(path))
    file.update([inverter(NOON)])
    file.write()
    before = path.stat()
    clock.now += 60
    file.update([inverter(NOON - 1)])
    file.rest()
    file.write()
    assert os.path.samestat(before, path.stat())


def test_owner_and_mode_of_an_existing_file_are_kept(path):
    path.write_bytes(b"{}")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    before = path.stat()
    StateFile(str(path))
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_a_link_stays_a_link_to_the_file_that_is_written(path, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(path)
    StateFile(str(link))
    assert link.is_symlink() and json.loads(path.read_bytes())


@pytest.mark.parametrize("special", ["/dev/null", "."])
def test_what_is_no_regular_file_is_refused_and_stays(special):
    before = os.stat(special)
    with pytest.raises(OutputError, match="is no regular file"):
        StateFile(special)
    assert os.path.samestat(before, os.stat(special))


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is no regular file"):
        StateFile(str(tmp_path / "pipe"))


def test_a_folder_that_is_missing_is_one_clear_error(tmp_path):
    with pytest.raises(OutputError, match=r"none/solar\.json: No such file"):
        StateFile(str(tmp_path / "none" / "solar.json"))


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path):
    with pytest.raises(OutputError, match="File name too long"):
        StateFile(str(tmp_path / ("x" * 300)))


def test_the_temporary_files_of_a_killed_program_are_removed_and_no_others(path, tmp_path):
    (tmp_path / ".solar.json.a1b2c3d4.new").touch()
    others = {".solar.json.20151031", ".solar.json.new", "a.json", ".other.json.a1b2c3d4.new"}
    for name in others:
        (tmp_path / name).touch()
    StateFile(str(path))
    assert {entry.name for entry in tmp_path.iterdir()} == others | {"solar.json"}


def test_a_leftover_that_cannot_be_removed_is_told(path, tmp_path):
    (tmp_path / ".solar.json.a1b2c3d4.new").mkdir()
    with pytest.raises(OutputError, match=r"\.solar\.json\.a1b2c3d4\.new: Is a directory"):
        StateFile(str(path))


def test_a_failed_replacement_leaves_the_old_file_and_no_other(path, tmp_path):
    path.write_bytes(b"old")
    with pytest.raises(ValueError), replace_file(str(path)) as file:
        file.write(b"half")
        raise ValueError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["solar.json"]

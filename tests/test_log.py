"""The log: where it goes, how much it tells, and what happens where it cannot be written."""

import argparse
import os
import pathlib
import socket
import sys

import pytest

from se import cli, log
from se.errors import OutputError
from se.log import LOG, MESSAGES, OPERATIONS, PARSED, RAW, complain, set_up_log


def test_without_stderr_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    complain("nothing")


def log_everything() -> None:
    LOG.error("an error")
    LOG.log(OPERATIONS, "operations")
    LOG.log(MESSAGES, "messages")
    LOG.log(PARSED, "parsed")
    LOG.log(RAW, "raw")


@pytest.mark.parametrize("verbosity", range(6))
def test_each_v_adds_a_level(verbosity: int, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    set_up_log(verbosity, str(path), append=False)
    log_everything()
    lines = [line.split(maxsplit=3)[3] for line in path.read_text().splitlines()]
    levels = ["an error", "operations", "messages", "parsed", "raw"]
    assert lines == levels[: min(verbosity, 4) + 1]


def test_a_log_file_is_overwritten_or_appended_to(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    for append, count in ((False, 1), (False, 1), (True, 2)):
        set_up_log(0, str(path), append=append)
        LOG.error("line")
        assert path.read_text().count("line") == count


def test_a_log_file_that_cannot_be_opened_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OutputError, match="nowhere/log: No such file"):
        set_up_log(0, str(tmp_path / "nowhere" / "log"), append=False)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_log_goes_to_a_stream(stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log(0, stream, append=False)
    LOG.error("line")
    assert getattr(capsys.readouterr(), stream[3:]).endswith("ERROR line\n")


def test_a_log_that_cannot_be_written_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log(0, "/dev/full", append=True)
    for _ in range(3):
        LOG.error("line")
    error = capsys.readouterr().err
    assert error.startswith("cannot write the log to /dev/full: ") and error.count("\n") == 1
    # what the handler still holds cannot be written at its end either
    [handler] = LOG.handlers
    with pytest.raises(OSError, match="No space"):
        handler.close()


def test_a_log_whose_reader_went_away_is_left_quietly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        set_up_log(0, "stdout", append=False)
        LOG.error("line")
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            stream.close()
    assert capsys.readouterr().err == ""


def test_syslog_gets_whole_messages_and_the_name_of_the_program(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        monkeypatch.setattr(log, "SYSLOG_SOCKETS", ("/nowhere", path))

        def work(arguments: argparse.Namespace) -> int:
            set_up_log(1, "syslog")
            LOG.info("%d messages", 3)
            return 0

        assert cli.run(cli.Parser("tool.py", "", ""), work, []) == 0
        assert server.recv(1000).endswith(b"tool[%d]: 3 messages\0" % os.getpid())


def test_without_a_syslog_the_log_goes_to_stderr(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(nobody))
    monkeypatch.setattr(log, "SYSLOG_SOCKETS", (str(nobody), "/nowhere"))
    set_up_log(0, "syslog", append=False)
    LOG.error("line")
    LOG.error("another")
    assert capsys.readouterr().err.count("\n") == 2

"""What the programs share: parser, exit codes, log, signals."""

import argparse
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from se import __version__, cli, log
from se.errors import InputError, OutputError, UsageError
from se.log import LOG, MESSAGES, OPERATIONS, PARSED, RAW, complain, set_up_log
from se.stop import Stop

ROOT = pathlib.Path(__file__).parent.parent


def parser(*, short_help: bool = True) -> cli.Parser:
    made = cli.Parser("tool", "Does it.", "\n  tool file   read a file\n", short_help=short_help)
    made.add_argument("--number", type=int)
    return made


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("-c is odd"), 2, "tool: -c is odd\n"),
        (InputError("x.dat: No such file"), 1, "tool: x.dat: No such file\n"),
        (OSError(28, "No space left on device", "out"), 1, "tool: out: No space left on device\n"),
        (OSError(28, "No space left on device"), 1, "tool: No space left on device\n"),
        (OSError("odd"), 1, "tool: odd\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(options: argparse.Namespace) -> int:
        raise error

    assert cli.run(parser(), work, []) == code
    assert capsys.readouterr() == ("", text)


def test_the_work_gets_the_options_and_gives_the_exit_code() -> None:
    assert cli.run(parser(), lambda options: options.number + 1, ["--number", "4"]) == 5


@pytest.mark.parametrize("argv", [["--number", "x"], ["--num", "4"], ["extra"]])
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.run(parser(), lambda options: 0, argv)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("tool: ") and error.count("\n") == 1


def test_help_has_the_examples_and_version_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    for flag, text in (("--help", "read a file"), ("-h", "read a file"), ("--version", "tool")):
        with pytest.raises(SystemExit) as end:
            cli.run(parser(), lambda options: 0, [flag])
        assert end.value.code == 0
        assert text in capsys.readouterr().out
    assert __version__.count(".") == 2


def test_h_can_be_left_to_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    made = parser(short_help=False)
    made.add_argument("-h", dest="host")
    assert made.parse_args(["-h", "localhost"]).host == "localhost"


def test_a_reader_that_goes_away_ends_the_program_quietly() -> None:
    program = (
        "import sys, argparse\n"
        "from se import cli\n"
        "def work(options):\n"
        "    while True: print('line')\n"
        "sys.exit(cli.run(cli.Parser('tool', '', ''), work, []))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_without_stderr_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    complain("nothing")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["INT", "TERM"]
)
def test_the_first_signal_is_a_flag_that_wakes(number: int, code: int) -> None:
    with Stop() as stop:
        assert not stop.wait(0)
        assert stop.fileno() >= 0
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert stop.wait(60)
        assert stop.requested == number
        assert stop.exit_code == code
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_whoever_selects_on_the_flag_is_woken() -> None:
    with Stop() as stop:
        assert not select.select([stop], [], [], 0)[0]
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([stop], [], [], 10)[0] == [stop]


def test_the_second_signal_ends_the_program_where_it_stands() -> None:
    with pytest.raises(KeyboardInterrupt), Stop():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


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


def test_the_log_goes_to_stderr_with_warnings_alone_until_it_is_set_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(arguments: argparse.Namespace) -> int:
        LOG.warning("a warning")
        LOG.info("operations")
        return 0

    assert cli.run(parser(), work, []) == 0
    output, error = capsys.readouterr()
    assert error.endswith(" WARNING a warning\n") and error.count("\n") == 1
    assert output == ""


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

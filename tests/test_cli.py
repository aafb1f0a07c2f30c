"""What the programs share: parser, exit codes, and the log until it is set up."""

import argparse
import pathlib
import subprocess
import sys

import pytest

from se import __version__, cli
from se.errors import InputError, UsageError
from se.log import LOG

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

"""What the seven programs share: the parser's manners, the log, errors to exit codes.

A program is a parser made here and one function that does the work; `run` joins them. What the
work loads, --help can do without; and behind the work the parsed arguments are typed options:

    def work(arguments: argparse.Namespace) -> int:
        from se.programs import tool

        return tool.run(tool.Options(**vars(arguments)))

    def main(argv=None) -> int:
        return cli.run(parser(), work, argv)

Exit codes: 0 done, 1 a run-time error, 2 a wrong command line, 130 after Ctrl-C, 141 when the
reader of our output went away (what a shell reports of any program that SIGPIPE or SIGINT ended).
SIGTERM is the orderly end of a service: 0.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable, Sequence
from typing import NoReturn

from se import __version__
from se.errors import SolarEdgeError
from se.log import begin_log, complain


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and whose options are never abbreviated."""

    def __init__(self, prog: str, description: str, examples: str, *, short_help: bool = True):
        """`examples` closes the help text; without `short_help`, -h is free for an option."""
        super().__init__(
            prog=prog,
            description=description,
            epilog="examples:\n" + examples.strip("\n"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        flags = ["-h", "--help"] if short_help else ["--help"]
        self.add_argument(*flags, action="help", help="show this help and end")
        self.add_argument(
            "--version", action="version", version=f"{prog} {__version__}", help="show the version"
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def run(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None,
) -> int:
    """Parse `argv`, do the work, and return the exit code; every foreseen error is one line."""
    arguments = parser.parse_args(argv)
    begin_log(parser.prog.removesuffix(".py"))
    try:
        return work(arguments)
    except SolarEdgeError as error:
        complain(f"{parser.prog}: {error}")
        return error.exit_code
    except BrokenPipeError:
        _abandon_stdout()
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{parser.prog}: {where}{error.strerror or error}")
        return 1


def _abandon_stdout() -> None:
    """Keep the interpreter from complaining at its end of what nobody reads any more."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)

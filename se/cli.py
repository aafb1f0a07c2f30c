"""What the seven programs share: the parser's manners, the log, signals, errors to exit codes.

A program is a parser made here and one function that does the work; `run` joins them:

    def main(argv=None) -> int:
        return cli.run(PARSER, work, argv)

Exit codes: 0 done, 1 a run-time error, 2 a wrong command line, 130 after Ctrl-C, 141 when the
reader of our output went away (what a shell reports of any program that SIGPIPE or SIGINT ended).
SIGTERM is the orderly end of a service: 0.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import NoReturn

from se import __version__
from se.errors import OutputError, SolarEdgeError

LOG = logging.getLogger("se")

# Levels of -v, -vv, -vvv, -vvvv. Warnings and errors are always logged.
OPERATIONS = logging.INFO
MESSAGES = 18
PARSED = 14
RAW = logging.DEBUG
_LEVELS = (logging.WARNING, OPERATIONS, MESSAGES, PARSED, RAW)

LOG_STREAMS = ("stdout", "stderr", "syslog")  # any other target of the log is a file
SYSLOG_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")


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
    options = parser.parse_args(argv)
    try:
        return work(options)
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


def complain(line: str) -> None:
    """Tell the user on stderr, if there is one."""
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")


class Stop:
    """Ctrl-C and SIGTERM as a flag, so that no line or file is left half-written.

    Within the `with` block the first signal sets `requested`, and wakes whoever selects on this
    object or waits in `wait`; the next one ends the program where it stands.
    """

    def __init__(self) -> None:
        self.requested = 0
        self._pipe = (-1, -1)

    def __enter__(self) -> Stop:
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
        for descriptor in self._pipe:
            os.close(descriptor)

    @staticmethod
    def _restore() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = number
        self._restore()
        os.write(self._pipe[1], b"\0")

    def fileno(self) -> int:
        """Readable from the first signal on."""
        return self._pipe[0]

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond a signal; returns whether one came."""
        if not self.requested:
            select.select([self], [], [], seconds)
        return bool(self.requested)

    @property
    def exit_code(self) -> int:
        """What the program's end at this signal is to be reported as."""
        return 128 + signal.SIGINT if self.requested == signal.SIGINT else 0


def set_up_log(prog: str, verbosity: int, target: str, *, append: bool) -> None:
    """Send the log of the package to `target`: stdout, stderr, syslog or a file's name.

    `verbosity` is the number of -v. Trouble with the log is told once on stderr and never
    changes what a program does; a file that cannot be opened is an OutputError all the same.
    """
    form = "%(asctime)s %(levelname)s %(message)s"
    handler: logging.Handler
    if target == "syslog":
        handler, form = _SyslogHandler(), f"{prog}[%(process)d]: %(message)s"
    elif target in ("stdout", "stderr"):
        handler = logging.StreamHandler(getattr(sys, target))
    else:
        try:
            handler = logging.FileHandler(target, "a" if append else "w", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{target}: {error.strerror}") from error
    for level in (OPERATIONS, MESSAGES, PARSED):
        logging.addLevelName(level, "INFO")
    handler.setFormatter(logging.Formatter(form))
    handler.handleError = _LogTrouble(target)  # type: ignore[method-assign]
    for old in LOG.handlers[:]:
        LOG.removeHandler(old)
        old.close()
    LOG.addHandler(handler)
    LOG.propagate = False
    LOG.setLevel(_LEVELS[min(verbosity, len(_LEVELS) - 1)])


class _LogTrouble:
    """Tells once that the log cannot be written; the work goes on without it."""

    def __init__(self, target: str):
        self._target = target
        self._told = False

    def __call__(self, record: logging.LogRecord) -> None:
        trouble = sys.exc_info()[1]
        if not self._told and not isinstance(trouble, BrokenPipeError):
            complain(f"cannot write the log to {self._target}: {trouble}")
        self._told = True


class _SyslogHandler(logging.Handler):
    """The system's log from the first record on, or stderr on a machine without one.

    Opened late: a program that has nothing to say does not pay for loading the socket modules.
    """

    _target: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self._target is None:
            self._target = self._open()
            self._target.setFormatter(self.formatter)
            self._target.handleError = self.handleError  # type: ignore[method-assign]
        self._target.emit(record)

    @staticmethod
    def _open() -> logging.Handler:
        from logging.handlers import SysLogHandler

        for path in SYSLOG_SOCKETS:
            if os.path.exists(path):
                handler = SysLogHandler(path)
                try:
                    handler.socket.getpeername()  # type: ignore[attr-defined]
                    return handler
                except OSError:  # a socket that nobody serves is no syslog
                    handler.close()
        return logging.StreamHandler(sys.stderr)

    def close(self) -> None:
        if self._target is not None:
            self._target.close()
        super().close()

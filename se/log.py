"""The log of all programs, and the one way to it: `from se.log import LOG`."""

from __future__ import annotations

import logging
import os
import sys

from se.errors import OutputError

LOG = logging.getLogger("se")

# Levels of -v, -vv, -vvv, -vvvv. Warnings and errors are always logged.
OPERATIONS = logging.INFO
MESSAGES = 18
PARSED = 14
RAW = logging.DEBUG
_LEVELS = (logging.WARNING, OPERATIONS, MESSAGES, PARSED, RAW)

LOG_STREAMS = ("stdout", "stderr", "syslog")  # any other target of the log is a file
SYSLOG_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")


def complain(line: str) -> None:
    """Tell the user on stderr, if there is one."""
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")


def begin_log(program: str) -> None:
    """Log as `program`: its warnings and errors, to stderr, until `set_up_log` says otherwise."""
    LOG.name = program
    set_up_log(0)


def set_up_log(verbosity: int, target: str = "stderr", *, append: bool = True) -> None:
    """Send the log of the package to `target`: stdout, stderr, syslog or a file's name.

    `verbosity` is the number of -v. Trouble with the log is told once on stderr and never
    changes what a program does; a file that cannot be opened is an OutputError all the same.
    """
    form = "%(asctime)s %(levelname)s %(message)s"
    handler: logging.Handler
    if target == "syslog":
        handler, form = _SyslogHandler(), "%(name)s[%(process)d]: %(message)s"
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

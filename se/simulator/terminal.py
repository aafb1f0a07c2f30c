"""Devices behind a serial line: a pseudo-terminal that looks like a serial port."""

from __future__ import annotations

import contextlib
import os
import select
import time
import tty
from collections.abc import Iterator, Sequence

from se.errors import OutputError
from se.files.read import CHUNK
from se.files.write import open_output
from se.simulator.device import Device
from se.stop import Stop


def serve(devices: Sequence[Device], *, link: str | None, echo: bool) -> int:
    """Answer on a new pseudo-terminal until Ctrl-C or SIGTERM; returns the exit code.

    Its name is written to stdout, and `link` becomes a symbolic link to it. With `echo`, what
    comes in goes out again, as some adapters do. Raises OutputError.
    """
    with Stop() as stop, _open(link) as line:
        awaited: list[int | Stop] = [line, stop]
        for device in devices:
            device.connect(time.monotonic())
        while not stop.requested:
            _write(line, devices)
            deadlines = [each for device in devices if (each := device.next_deadline()) is not None]
            pause = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            ready, _, _ = select.select(awaited, [], [], pause)
            data = os.read(line, CHUNK) if line in ready else b""
            if echo and data:
                _try_to_write(line, data)
            for device in devices:
                device.receive_data(data, time.monotonic())
        return stop.exit_code


@contextlib.contextmanager
def _open(link: str | None) -> Iterator[int]:
    """The end of a new pseudo-terminal that devices use; the other one has the name."""
    line, port = os.openpty()
    # the port stays open here too: so the line is there whoever opens and closes it
    tty.setraw(port)
    os.set_blocking(line, False)
    name = os.ttyname(port)
    try:
        if link:
            _link(name, link)
        open_output(None).write(f"{name}\n".encode())
        yield line
    finally:
        if link and os.path.islink(link) and os.readlink(link) == name:
            os.unlink(link)
        os.close(line)
        os.close(port)


def _link(name: str, link: str) -> None:
    """Make the link; one that an earlier run left behind is replaced."""
    try:
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(name, link)
    except OSError as error:
        raise OutputError(f"{link}: {error.strerror}") from error


def _write(line: int, devices: Sequence[Device]) -> None:
    for device in devices:
        data = device.data_to_send()
        if data:
            _try_to_write(line, data)


def _try_to_write(line: int, data: bytes) -> None:
    """Write what fits: on a serial line, what nobody reads in time is lost."""
    with contextlib.suppress(BlockingIOError):
        os.write(line, data)

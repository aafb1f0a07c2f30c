"""A serial port: a device name, or one of pyserial's URLs (socket://, rfc2217://).

What is written while the port is away is lost, as it is on any line: whoever sent something that
got no answer sends it again.
"""

from __future__ import annotations

import errno
import re
import threading
import time

import serial

from se.errors import DeviceError
from se.log import LOG
from se.stream import Mark

CHUNK = 1 << 16
POLL_S = 0.02  # how long a read collects; pyserial waits for it even if there is something
WRITE_S = 2.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

MAX_PORT = 65535
_URL = re.compile(r"(socket|rfc2217)://[^/?]+:(?P<port>\d{1,5})([/?].*)?", re.IGNORECASE)
_HINTS = {
    errno.ENOENT: "there is no such port: is the adapter plugged in? (ls /dev/serial/by-id)",
    errno.EACCES: "permission denied: join the group of serial ports and log in again"
    " (sudo usermod -a -G dialout $USER)",
    errno.EAGAIN: "another program uses it",
    errno.EBUSY: "another program uses it",
    errno.ENOTTY: "this is no serial port",
    errno.EISDIR: "this is a directory, no serial port",
    errno.EIO: "there is no hardware behind this port",
}


class SerialPort:
    """An open port. One that disappears is opened again, if `reopen`, in growing intervals."""

    def __init__(self, name: str, baud: int, *, reopen: bool = True):
        """Raises DeviceError."""
        self.name = name
        self._baud = baud
        self._reopen = reopen
        self._port: serial.SerialBase | None = _open(name, baud)
        self._pause = FIRST_PAUSE_S
        self._next_try = 0.0
        self._opening = threading.Thread()

    def read(self) -> bytes | Mark:
        """What comes within `POLL_S`: data, or IDLE; BROKEN when the port was lost.

        Raises DeviceError where a lost port is not to be opened again.
        """
        if self._port is None:
            return self._try_again()
        try:
            data: bytes = self._port.read(CHUNK)
        except OSError as error:
            self._lose(error)
            return Mark.BROKEN
        if not data:
            return Mark.IDLE
        self._pause = FIRST_PAUSE_S
        return data

    def write(self, data: bytes) -> None:
        """Send it, if the port is there; trouble is only logged: a lost port shows at `read`."""
        if self._port is not None and data:
            try:
                self._port.write(data)
            except OSError as error:
                LOG.warning("%s: not sent: %s", self.name, error)

    def close(self) -> None:
        """Close the port."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def __enter__(self) -> SerialPort:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _lose(self, error: OSError) -> None:
        self.close()
        if not self._reopen:
            raise DeviceError(f"{self.name}: lost: {error}") from error
        LOG.warning("%s: lost: %s; trying to open it again", self.name, error)
        self._wait_longer()

    def _wait_longer(self) -> None:
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)

    def _try_again(self) -> Mark:
        """Open it in the background: an adapter on the network may say nothing for seconds."""
        if time.monotonic() >= self._next_try and not self._opening.is_alive():
            self._opening = threading.Thread(target=self._open_again, daemon=True)
            self._opening.start()
        time.sleep(POLL_S)
        return Mark.IDLE

    def _open_again(self) -> None:
        try:
            self._port = _open(self.name, self._baud)
        except DeviceError as error:
            LOG.info("%s", error)
            self._wait_longer()
        else:
            LOG.warning("%s: open again", self.name)


def _open(name: str, baud: int) -> serial.SerialBase:
    """Open the port for us alone. Raises DeviceError, saying what is to be done."""
    url = _URL.fullmatch(name)
    if "://" in name and not (url and int(url["port"]) <= MAX_PORT):
        raise DeviceError(f"{name}: expected socket://host:port or rfc2217://host:port")
    rfc2217 = name.lower().startswith("rfc2217:")  # knows no time limit for writing
    try:
        return serial.serial_for_url(
            name,
            baudrate=baud,
            timeout=POLL_S,
            write_timeout=None if rfc2217 else WRITE_S,
            exclusive=True,
        )
    except (OSError, ValueError) as error:
        raise DeviceError(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What to tell the user: pyserial wraps the system's error in one of its own."""
    cause = error.__context__ or error
    return _HINTS.get(cause.args[0]) or getattr(cause, "strerror", None) or str(cause)

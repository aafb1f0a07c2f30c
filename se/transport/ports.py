"""Why a network port cannot be opened, and what to do about it."""

from __future__ import annotations

import errno
import os
import sys


def explain(error: OSError, port: int, sockets: str) -> str:
    """The whole story of an `error` of `bind`; `sockets` is the option of ss that lists them."""
    if error.errno in (errno.EACCES, errno.EPERM):
        python = os.path.realpath(sys.executable)
        capabilities = f"sudo setcap cap_net_bind_service,cap_net_raw+ep {python}"
        return f"not permitted to open port {port}; run with sudo, or once: {capabilities}"
    if error.errno == errno.EADDRINUSE:
        who = f"sudo ss {sockets} 'sport = :{port}'"
        return f"port {port} is taken; see by which program: {who}"
    return f"port {port}: {error.strerror}"

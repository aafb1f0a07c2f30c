"""Becoming an ordinary user, once the ports that only root may open are open."""

from __future__ import annotations

import importlib
import os
import pwd

from se.errors import UsageError

# where Python or this program is installed, the other user may not be allowed to read
LOADED_LATER = ("logging.handlers", "orjson", "se.wire.crypto")


class User:
    """The user of --user; finding out whether we can become that user is part of the making."""

    def __init__(self, name: str):
        """Raises UsageError."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError as error:
            raise UsageError(f"--user {name}: there is no such user") from error
        if os.geteuid() not in (0, entry.pw_uid):
            raise UsageError(f"--user {name}: only root can become another user")
        self._entry = entry

    def become(self) -> None:
        """Give up root for good: its groups, then its own."""
        if os.geteuid() == self._entry.pw_uid:
            return
        for module in LOADED_LATER:
            importlib.import_module(module)
        os.initgroups(self._entry.pw_name, self._entry.pw_gid)
        os.setgid(self._entry.pw_gid)
        os.setuid(self._entry.pw_uid)

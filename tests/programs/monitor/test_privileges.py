"""Becoming another user: what is given up, in which order."""

import os
import pwd
from typing import Any

import pytest

from se.errors import UsageError
from se.programs.monitor.privileges import User

NOBODY = pwd.getpwnam("nobody")


def test_groups_are_given_up_before_the_right_to_do_so(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("initgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda *a, name=name: calls.append((name, *a)))
    User("nobody").become()
    assert calls == [
        ("initgroups", "nobody", NOBODY.pw_gid),
        ("setgid", NOBODY.pw_gid),
        ("setuid", NOBODY.pw_uid),
    ]


def test_who_is_that_user_already_gives_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    monkeypatch.setattr(os, "setuid", lambda uid: pytest.fail("there is nothing to give up"))
    User("nobody").become()


def test_only_root_becomes_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    with pytest.raises(UsageError, match="--user root: only root can become another user"):
        User("root")


def test_a_user_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="--user no-such-user: there is no such user"):
        User("no-such-user")

"""Warnings that come once."""

from __future__ import annotations

import pytest

from se.programs.monitor.complaints import MAX_TOLD, Complaints


def test_a_warning_is_told_once_about_each_thing(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for inverter in (1, 2, 1):
        complaints.warn(inverter, "inverter %X is odd", inverter)
    assert caplog.messages == ["inverter 1 is odd", "inverter 2 is odd"]


def test_what_anybody_may_invent_does_not_fill_log_and_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    complaints = Complaints()
    for inverter in range(MAX_TOLD + 10):
        complaints.warn(inverter, "odd")
    assert len(caplog.messages) == MAX_TOLD

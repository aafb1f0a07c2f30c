"""Errors of captures: which of them end the program, and what the log says of the others."""

from __future__ import annotations

import pytest

from se.capture.error_policy import ErrorPolicy
from se.errors import InputError, NotCaptureError

DAMAGED = InputError("x.pcap: damaged capture")
NO_CAPTURE = NotCaptureError("notes.txt: is no packet capture")


@pytest.mark.parametrize("error", [DAMAGED, NO_CAPTURE])
@pytest.mark.parametrize(("follow", "at_end"), [(False, False), (False, True), (True, False)])
def test_an_error_behind_which_nothing_comes_is_raised(
    error: InputError, follow: bool, at_end: bool
) -> None:
    with pytest.raises(InputError) as caught:
        ErrorPolicy(is_folder=False, follow=follow).handle(error, at_end=at_end)
    assert caught.value is error


@pytest.mark.parametrize(
    ("is_folder", "follow", "at_end"),
    [(True, False, False), (True, False, True), (True, True, False), (False, True, True)],
)
def test_in_a_folder_or_at_the_end_of_a_followed_file_it_is_told(
    is_folder: bool, follow: bool, at_end: bool, caplog: pytest.LogCaptureFixture
) -> None:
    policy = ErrorPolicy(is_folder=is_folder, follow=follow)
    policy.handle(NO_CAPTURE, at_end=at_end)
    assert policy.exit_code == 0
    policy.handle(DAMAGED, at_end=at_end)
    assert policy.exit_code == 1
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "notes.txt: is no packet capture: skipped"),
        ("ERROR", "x.pcap: damaged capture"),
    ]

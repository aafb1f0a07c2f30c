"""What becomes of the errors of captures: they end the program, or are told and gone on behind."""

from __future__ import annotations

from se.errors import InputError, NotCaptureError
from se.log import LOG


class ErrorPolicy:
    """Raises an error where nothing more can come.

    It is told in the log, and the next capture gone on with, in a folder, and where a followed
    file that ended badly was replaced; `exit_code` is that of the last one that was told.
    """

    def __init__(self, *, is_folder: bool, follow: bool):
        self.is_folder = is_folder
        self.follow = follow
        self.exit_code = 0

    def handle(self, error: InputError, *, at_end: bool) -> None:
        """Raise or tell; `at_end` says that the capture was read to its end."""
        if not self.is_folder and not (self.follow and at_end):
            raise error
        if isinstance(error, NotCaptureError):
            LOG.warning("%s: skipped", error)
        else:
            LOG.error("%s", error)
            self.exit_code = error.exit_code

"""Warnings that are told once."""

from __future__ import annotations

from collections.abc import Hashable

from se.log import LOG

MAX_TOLD = 1024  # anybody may invent inverters to complain about


class Complaints:
    """Warnings of one kind, each logged once however often it comes."""

    def __init__(self) -> None:
        self._told: set[Hashable] = set()

    def warn(self, about: Hashable, text: str, *arguments: object) -> None:
        """Log the warning, unless one `about` this was, or too many about other things were."""
        if about not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(about)
            LOG.warning(text, *arguments)

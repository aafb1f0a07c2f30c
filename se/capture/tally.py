"""Counts what of a capture is not used, and why."""

from __future__ import annotations

from collections import Counter

# Reasons; with messages, there are the framer's, too.
NOT_TCP = "no TCP over IP"
FRAGMENT = "IP fragments"
CUT_HEADER = "headers cut or damaged"
OTHER_TRAFFIC = "other traffic"
OTHER_SERVER = "to or from another server"
OTHER_DIRECTION = "from the server"
ENCRYPTED = "encrypted with TLS"
REPEATED = "sent again"
LATE = "from before the first captured byte"


class Tally:
    """Bytes, and in how many pieces they came, by reason."""

    def __init__(self) -> None:
        self.size: Counter[str] = Counter()
        self.pieces: Counter[str] = Counter()

    def add(self, reason: str, size: int) -> None:
        """Count a piece."""
        self.size[reason] += size
        self.pieces[reason] += 1

    def __str__(self) -> str:
        counts = (
            f"{reason}: {size} bytes in {self.pieces[reason]} pieces"
            for reason, size in self.size.most_common()
        )
        return ", ".join(counts) or "nothing"

"""What semonitor.py counts, for the line that sums a run up."""

from __future__ import annotations

from collections import Counter

from se.wire.functions import function_name
from se.wire.message import Reason


class Counts:
    """How much of what a source brought."""

    def __init__(self) -> None:
        self.messages: Counter[int] = Counter()  # that can be read, by function
        self.undecrypted = 0  # messages
        self.repeated = 0  # messages
        self.sent = 0  # messages
        self.records: Counter[int] = Counter()  # by type
        self.discarded: Counter[Reason] = Counter()  # bytes

    @property
    def received(self) -> int:
        """All messages, those that cannot be decrypted too."""
        return self.messages.total() + self.undecrypted

    def summary(self, name: str) -> str:
        """One line: messages, records by type, bytes discarded by reason."""
        parts = [
            _count("messages", {function_name(code): n for code, n in self.messages.items()}),
            _count("records", {f"0x{number:04x}": n for number, n in self.records.items()}),
            _count("bytes discarded", {reason.value: n for reason, n in self.discarded.items()}),
        ]
        if self.repeated:
            parts.append(f"{self.repeated} messages repeated")
        if self.undecrypted:
            parts.append(f"{self.undecrypted} messages not decrypted")
        return f"{name}: " + ", ".join(parts)


def _count(what: str, parts: dict[str, int]) -> str:
    """`3 messages (0500 SERVER_POST_DATA 2, 0501 SERVER_GET_GMT 1)`"""
    details = ", ".join(f"{name} {count}" for name, count in sorted(parts.items()))
    return f"{sum(parts.values())} {what}" + (f" ({details})" if details else "")

"""The line that sums a run up."""

from __future__ import annotations

from se.programs.monitor.counts import Counts
from se.wire.message import Reason


def test_nothing_is_a_line_too() -> None:
    assert Counts().summary("stdin") == "stdin: 0 messages, 0 records, 0 bytes discarded"


def test_everything_is_summed_up() -> None:
    counts = Counts()
    counts.messages.update({0x0500: 2, 0x0501: 1})
    counts.records.update([0x0010, 0x0080, 0x0080])
    counts.discarded[Reason.NOISE] += 7
    counts.repeated = 1
    counts.undecrypted = 4
    assert counts.received == 7
    assert counts.summary("day.dat") == (
        "day.dat: 3 messages (0500 SERVER_POST_DATA 2, 0501 SERVER_GET_GMT 1), "
        "3 records (0x0010 1, 0x0080 2), 7 bytes discarded (noise 7), "
        "1 messages repeated, 4 messages not decrypted"
    )

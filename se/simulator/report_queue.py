"""The queue of an inverter's reports: one message at a time, the same until it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator

from se.simulator.encoder import MessageEncoder
from se.simulator.site import ReportMessage
from se.wire.functions import Function
from se.wire.message import Message

KEEP_ALIVE_S = 30.0


class ReportQueue:
    """The reports of an inverter, made into messages by its `encoder`.

    With `speed`, a report is there when its time has come, and time runs so many times faster
    than `now`, from the first report on; without, every report is there from the beginning. When
    all are acknowledged, `keep_alive` goes on with empty messages.
    """

    def __init__(
        self,
        encoder: MessageEncoder,
        reports: Iterator[ReportMessage],
        *,
        speed: float,
        keep_alive: bool,
    ):
        self.acknowledged = 0  # how many messages were
        self._encoder = encoder
        self._reports = reports
        self._report = next(reports, None)  # the one that comes next
        self._speed = speed
        self._keep_alive = keep_alive
        self._first = self._time = self._report.time if self._report else 0
        self._start: float | None = None
        self._acknowledged_at = 0.0
        self._opening: Message | None = None  # of a session, which comes before the message
        self._message: Message | None = None

    @property
    def finished(self) -> bool:
        """Whether every report was sent and acknowledged."""
        return self._report is None and self._message is None

    def begin(self, now: float) -> None:
        """Begin, or go on in a new connection: a new session, then the message that waits."""
        if self._start is None:
            self._start = self._acknowledged_at = now
        self._encoder.close_session()
        self._opening = None

    def current(self, now: float) -> Message | None:
        """What is to be sent: the same until it is acknowledged, None if there is nothing."""
        due = self.next_due()
        if self._message is None and due is not None and now >= due:
            self._message = self._next_message()
        if self._message is not None and self._opening is None:
            self._opening = self._encoder.open_session(self._time)
        return self._opening or self._message

    def acknowledge(self, now: float) -> None:
        """The current message was received."""
        self.acknowledged += 1
        self._acknowledged_at = now
        if self._opening is not None:
            self._opening = None
        else:
            self._message = None

    def next_due(self) -> float | None:
        """From when on there is something to send, if there will be."""
        assert self._start is not None
        if self._report is None:
            return self._acknowledged_at + KEEP_ALIVE_S if self._keep_alive else None
        if not self._speed:
            return self._start
        return self._start + (self._report.time - self._first) / self._speed

    def _next_message(self) -> Message:
        if self._report is None:
            return self._encoder.message(Function.SERVER_POST_DATA)
        _, _, function, payload = self._report
        self._time = self._report.time
        self._report = next(self._reports, None)
        return self._encoder.message(function, payload)

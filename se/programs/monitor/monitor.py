"""What semonitor.py makes of the events of its sessions, wherever their bytes come from.

Telemetry and the answers of commands become JSON lines, everything becomes log lines and counts.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Any

from se.errors import DataError
from se.files.write import Output
from se.log import LOG, MESSAGES, OPERATIONS
from se.programs.monitor.complaints import Complaints
from se.programs.monitor.counts import Counts
from se.programs.monitor.message_log import MessageLog, hex_lines
from se.programs.monitor.zone import LocalZone
from se.records import parse_telemetry
from se.sinks.json_lines import JsonLines
from se.wire.framer import Discarded
from se.wire.functions import Function
from se.wire.keyring import DecryptionFailure
from se.wire.message import FIRST_ROLE, Reason
from se.wire.payloads import parse_payload
from se.wire.session import Answered, Event, Notice, Received, Sent, Undecrypted


class Monitor:
    """Turns events into JSON lines, log lines and counts.

    With `strict`, what cannot be decoded raises DataError instead of being logged and skipped.
    All that comes in and goes out is first written to `record`, message by message. Where the
    `inverters` are given, messages of another one are logged, once for each.
    """

    def __init__(
        self,
        sink: JsonLines,
        *,
        strict: bool = False,
        record: Output | None = None,
        inverters: Collection[int] = (),
    ):
        self.counts = Counts()
        self._sink = sink
        self._strict = strict
        self._record = record
        self._inverters = inverters
        self._zone = LocalZone()
        self._log = MessageLog()
        self._unnamed = Complaints()
        self._undecrypted = Complaints()

    def handle(self, name: str, events: Iterable[Event]) -> None:
        """Handle what a session met on the device or file `name`; the lines are written out.

        Raises DataError, OutputError and BrokenPipeError; what came before is written all the same.
        """
        try:
            for event in events:
                if self._record:
                    self._record.write(_raw(event))
                self._handle_event(name, event)
        finally:
            self._sink.flush()

    def _handle_event(self, name: str, event: Event) -> None:
        if isinstance(event, Received):
            self._received(name, event)
        elif isinstance(event, Discarded):
            self._not_framed(name, event)
        elif isinstance(event, Undecrypted):
            self._not_decrypted(name, event)
        elif isinstance(event, Sent):
            self.counts.sent += 1
            self._log.message(f"{name} out {self.counts.sent}", event)
        elif isinstance(event, Answered):
            self._sink.write(_answer_line(event))
        else:
            LOG.warning("%s: inverter %X %s", name, event.inverter, event.text)

    def _received(self, name: str, event: Received) -> None:
        message = event.message
        self.counts.messages[message.function] += 1
        if LOG.isEnabledFor(MESSAGES):
            self._log.message(f"{name} in {self.counts.received}", event)
        self._check_sender(name, message.source)
        if message.function != Function.SERVER_POST_DATA:
            return
        if event.repeated:
            self.counts.repeated += 1
            LOG.info("%s: repeated, not written again: %s", name, message)
            return
        telemetry = parse_telemetry(message.payload, self._zone)
        self.counts.records.update(telemetry.types)
        for line in telemetry.lines:
            self._sink.write(line)
        self._log.telemetry(telemetry)
        for problem in telemetry.problems:
            self._trouble(f"{name}: {message}: {problem}", message.to_bytes())

    def _check_sender(self, name: str, sender: int) -> None:
        """Name an inverter that the user did not name."""
        if self._inverters and sender not in self._inverters and sender < FIRST_ROLE:
            text = "%s: inverter %X is heard, which -s does not name"
            self._unnamed.warn(sender, text, name, sender)

    def _not_framed(self, name: str, event: Discarded) -> None:
        """Warn of what may have been a message; noise between messages is everyday life."""
        self.counts.discarded[event.reason] += len(event.raw)
        level = OPERATIONS if event.reason is Reason.NOISE else logging.WARNING
        text = f"{name}: {len(event.raw)} bytes discarded: {event.reason.value}"
        raw = self._log.without_secret(event.raw)
        self._trouble(text, raw, level)
        self._log.raw(raw)

    def _not_decrypted(self, name: str, event: Undecrypted) -> None:
        """Say once for each inverter why its messages cannot be read."""
        self.counts.undecrypted += 1
        message, reason, inverter = event
        LOG.log(MESSAGES, "%s in %d: %s", name, self.counts.received, message)
        self._log.raw(message.to_bytes())
        if self._strict:
            self._trouble(f"{name}: {_whose(inverter)}: {reason.value}", message.to_bytes())
        if reason is not DecryptionFailure.UNDECIDED:
            self.complain(name, reason, inverter)

    def complain(self, name: str, reason: DecryptionFailure, inverter: int | None) -> None:
        """Say why messages cannot be read, once for each inverter."""
        about = reason, inverter
        self._undecrypted.warn(about, "%s: %s: %s", name, _whose(inverter), reason.value)

    def _trouble(self, text: str, raw: bytes, level: int = logging.WARNING) -> None:
        if self._strict:
            raise DataError("\n".join((text, *hex_lines(raw))))
        LOG.log(level, "%s", text)


def _whose(inverter: int | None) -> str:
    return "encrypted message" if inverter is None else f"encrypted by inverter {inverter:X}"


def _answer_line(event: Answered) -> dict[str, Any]:
    function, parameters, answer = event
    return {
        "command": function,
        "response": answer.function,
        "sequence": answer.sequence,
        "data": parse_payload(answer.function, answer.payload),
        "parameters": parameters,
    }


def _raw(event: Event) -> bytes:
    """What an event was on the wire, if anything."""
    if isinstance(event, Discarded):
        return event.raw
    if isinstance(event, Answered | Notice):
        return b""
    if isinstance(event, Undecrypted):
        return event.message.to_bytes()
    return (event.wrapper or event.message).to_bytes()

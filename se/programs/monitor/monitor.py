"""What semonitor.py makes of the events of its sessions, wherever their bytes come from.

Telemetry and the answers of commands become JSON lines, everything becomes log lines and counts.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from se.errors import DataError
from se.files.write import Output
from se.log import LOG, MESSAGES, OPERATIONS, PARSED, RAW
from se.programs.monitor.zone import LocalZone
from se.records import Telemetry, parse_telemetry
from se.sinks.json_lines import JsonLines, encode_line
from se.wire.framer import Discarded
from se.wire.functions import Function, function_name
from se.wire.keyring import KEY_PARAMETERS, Locked
from se.wire.message import FIRST_ROLE, Message, Reason
from se.wire.payloads import parse_payload
from se.wire.session import Answered, Event, Notice, Received, Sent, Undecrypted

MAX_TOLD = 1024  # inverters that the log complains about: anybody may invent some


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
        self._messages: Counter[int] = Counter()
        self._sink = sink
        self._strict = strict
        self._record = record
        self._inverters = inverters
        self._strangers: set[int] = set()
        self._zone = LocalZone()
        self._records: Counter[int] = Counter()
        self._discarded: Counter[Reason] = Counter()
        self._undecrypted = 0
        self._repeated = 0
        self._sent = 0
        self._complained: set[tuple[Locked, int | None]] = set()
        # the numbers of the last questions for other parameters than parts of a key
        self._harmless: deque[int] = deque(maxlen=64)
        self._key_asked_for = False

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
            self._sent += 1
            self._log_message(f"{name} out {self._sent}", event)
        elif isinstance(event, Answered):
            self._sink.write(_answer_line(event))
        else:
            LOG.warning("%s: inverter %X %s", name, event.inverter, event.text)

    @property
    def _received_count(self) -> int:
        return self._messages.total() + self._undecrypted

    @property
    def found_messages(self) -> bool:
        """Whether there was any message, be it one that cannot be decrypted."""
        return self._received_count > 0

    def summary(self, name: str) -> str:
        """One line: messages, records by type, bytes discarded by reason."""
        counts = [
            _count("messages", {function_name(code): n for code, n in self._messages.items()}),
            _count("records", {f"0x{number:04x}": n for number, n in self._records.items()}),
            _count("bytes discarded", {reason.value: n for reason, n in self._discarded.items()}),
        ]
        if self._repeated:
            counts.append(f"{self._repeated} messages repeated")
        if self._undecrypted:
            counts.append(f"{self._undecrypted} messages not decrypted")
        return f"{name}: " + ", ".join(counts)

    def _received(self, name: str, event: Received) -> None:
        message = event.message
        self._messages[message.function] += 1
        if LOG.isEnabledFor(MESSAGES):
            self._log_message(f"{name} in {self._received_count}", event)
        self._check_sender(name, message.source)
        if message.function != Function.SERVER_POST_DATA:
            return
        if event.repeated:
            self._repeated += 1
            LOG.info("%s: repeated, not written again: %s", name, message)
            return
        telemetry = parse_telemetry(message.payload, self._zone)
        self._records.update(telemetry.types)
        for line in telemetry.lines:
            self._sink.write(line)
        self._log_telemetry(telemetry)
        for problem in telemetry.problems:
            self._trouble(f"{name}: {message}: {problem}", message.to_bytes())

    def _check_sender(self, name: str, sender: int) -> None:
        """Name an inverter that the user did not name."""
        known = sender in self._inverters or sender in self._strangers or sender >= FIRST_ROLE
        if self._inverters and not known and len(self._strangers) < MAX_TOLD:
            self._strangers.add(sender)
            LOG.warning("%s: inverter %X is heard, which -s does not name", name, sender)

    def _not_framed(self, name: str, event: Discarded) -> None:
        """Warn of what may have been a message; noise between messages is everyday life."""
        self._discarded[event.reason] += len(event.raw)
        level = OPERATIONS if event.reason is Reason.NOISE else logging.WARNING
        text = f"{name}: {len(event.raw)} bytes discarded: {event.reason.value}"
        # a damaged answer may hold a part of the key that was asked for
        raw = b"" if self._key_asked_for else event.raw
        self._trouble(text, raw, level)
        self._log_raw(raw)

    def _not_decrypted(self, name: str, event: Undecrypted) -> None:
        """Say once for each inverter why its messages cannot be read."""
        self._undecrypted += 1
        message, reason, inverter = event
        LOG.log(MESSAGES, "%s in %d: %s", name, self._received_count, message)
        self._log_raw(message.to_bytes())
        if self._strict:
            self._trouble(f"{name}: {_whose(inverter)}: {reason.value}", message.to_bytes())
        if reason is not Locked.UNDECIDED:
            self.complain(name, reason, inverter)

    def complain(self, name: str, reason: Locked, inverter: int | None) -> None:
        """Say why messages cannot be read, once for each inverter."""
        if (reason, inverter) not in self._complained and len(self._complained) < MAX_TOLD:
            self._complained.add((reason, inverter))
            LOG.warning("%s: %s: %s", name, _whose(inverter), reason.value)

    def _trouble(self, text: str, raw: bytes, level: int = logging.WARNING) -> None:
        if self._strict:
            raise DataError("\n".join((text, *_hex_lines(raw))))
        LOG.log(level, "%s", text)

    def _log_message(self, where: str, event: Received | Sent) -> None:
        """The message from -vv on, its parsed payload from -vvv on, its bytes at -vvvv."""
        message, wrapper = event.message, event.wrapper
        LOG.log(MESSAGES, "%s%s: %s", where, " (encrypted)" if wrapper else "", message)
        if not LOG.isEnabledFor(PARSED) or self._is_secret(message):
            return
        if message.function != Function.SERVER_POST_DATA:
            LOG.log(PARSED, "%s", parse_payload(message.function, message.payload))
        self._log_raw(message.to_bytes())

    def _is_secret(self, message: Message) -> bool:
        """Whether this may be part of an inverter's key, which no log may show.

        An answer does not say of which parameter: only after a harmless question it is harmless.
        """
        if message.function == Function.RESP_PARAMS_SINGLE:
            return message.sequence not in self._harmless
        if message.function not in (Function.PARAMS_GET_SINGLE, Function.PARAMS_SET_SINGLE):
            return False
        is_key = parse_payload(message.function, message.payload).get("parameter") in KEY_PARAMETERS
        if not is_key:
            self._harmless.append(message.sequence)
        elif message.sequence in self._harmless:
            self._harmless.remove(message.sequence)
        self._key_asked_for = self._key_asked_for or is_key
        return is_key and message.function == Function.PARAMS_SET_SINGLE

    def _log_telemetry(self, telemetry: Telemetry) -> None:
        if LOG.isEnabledFor(PARSED):
            for line in telemetry.lines:
                LOG.log(PARSED, "%s", encode_line(line).decode().rstrip())

    def _log_raw(self, raw: bytes) -> None:
        if LOG.isEnabledFor(RAW):
            for line in _hex_lines(raw):
                LOG.log(RAW, "%s", line)


def _whose(inverter: int | None) -> str:
    return "encrypted message" if inverter is None else f"encrypted by inverter {inverter:X}"


def _count(what: str, parts: dict[str, int]) -> str:
    """`3 messages (0500 SERVER_POST_DATA 2, 0501 SERVER_GET_GMT 1)`"""
    details = ", ".join(f"{name} {count}" for name, count in sorted(parts.items()))
    return f"{sum(parts.values())} {what}" + (f" ({details})" if details else "")


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


def _hex_lines(raw: bytes) -> Iterator[str]:
    for start in range(0, len(raw), 16):
        yield f"data: {raw[start : start + 16].hex(' ')}"

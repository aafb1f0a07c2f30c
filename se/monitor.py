"""semonitor.py: where bytes, protocol, tables and output meet.

`Monitor` handles the events of sessions: telemetry becomes JSON lines, everything becomes log lines
and counts. `run` reads a file or stdin through it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator

from se import cli, files
from se.cli import LOG
from se.errors import DataError, InputError, UsageError
from se.keys import SessionStore
from se.records import Telemetry, parse_telemetry
from se.sinks.json_lines import JsonLines, encode_line
from se.unpack import unpack_messages
from se.wire.framer import Discarded
from se.wire.functions import Function, function_name
from se.wire.keyring import Locked
from se.wire.message import Message, Reason
from se.wire.payloads import parse_payload
from se.wire.session import Event, Received, Recent, Sent, Session, Undecrypted
from se.zone import LocalZone

KEY_PARAMETERS = range(0x0239, 0x023D)  # their values are the inverter's key: never logged
_SERIAL_PORT = re.compile(r"/dev/(tty|cu|serial/).*|COM\d+|(socket|rfc2217)://.*", re.IGNORECASE)


class Monitor:
    """Turns events into JSON lines, log lines and counts.

    With `strict`, what cannot be decoded raises DataError instead of being logged and skipped.
    """

    def __init__(self, sink: JsonLines, *, strict: bool = False):
        self._messages: Counter[int] = Counter()
        self._sink = sink
        self._strict = strict
        self._zone = LocalZone()
        self._records: Counter[int] = Counter()
        self._discarded: Counter[Reason] = Counter()
        self._undecrypted = 0
        self._repeated = 0
        self._sent = 0
        self._complained: set[tuple[Locked, int | None]] = set()
        # inverter and sequence of the last requests for parts of a key
        self._secret: deque[tuple[int, int]] = deque(maxlen=64)

    def handle(self, name: str, events: Iterable[Event]) -> None:
        """Handle what a session met on the device or file `name`; the lines are written out.

        Raises DataError, OutputError and BrokenPipeError; what came before is written all the same.
        """
        try:
            for event in events:
                if isinstance(event, Received):
                    self._received(name, event)
                elif isinstance(event, Discarded):
                    self._not_framed(name, event)
                elif isinstance(event, Undecrypted):
                    self._not_decrypted(name, event)
                else:
                    self._sent += 1
                    self._log_message(f"{name} out {self._sent}", event)
        finally:
            self._sink.flush()

    @property
    def found_messages(self) -> bool:
        """Whether there was any message, be it one that cannot be decrypted."""
        return bool(self._messages or self._undecrypted)

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
        if LOG.isEnabledFor(cli.MESSAGES):
            self._log_message(f"{name} in {self._messages.total() + self._undecrypted}", event)
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

    def _not_framed(self, name: str, event: Discarded) -> None:
        """Warn of what may have been a message; noise between messages is everyday life."""
        self._discarded[event.reason] += len(event.raw)
        level = cli.OPERATIONS if event.reason is Reason.NOISE else logging.WARNING
        text = f"{name}: {len(event.raw)} bytes discarded: {event.reason.value}"
        self._trouble(text, event.raw, level)

    def _not_decrypted(self, name: str, event: Undecrypted) -> None:
        """Say once for each inverter why its messages cannot be read."""
        self._undecrypted += 1
        message, reason, inverter = event
        whose = "encrypted message" if inverter is None else f"encrypted by inverter {inverter:X}"
        if self._strict or (reason, inverter) not in self._complained:
            self._complained.add((reason, inverter))
            self._trouble(f"{name}: {whose}: {reason.value}", message.to_bytes())

    def _trouble(self, text: str, raw: bytes, level: int = logging.WARNING) -> None:
        if self._strict:
            raise DataError("\n".join((text, *_hex_lines(raw))))
        LOG.log(level, "%s", text)
        self._log_raw(raw)

    def _log_message(self, where: str, event: Received | Sent) -> None:
        """The message from -vv on, its parsed payload from -vvv on, its bytes at -vvvv."""
        message, wrapper = event.message, event.wrapper
        LOG.log(cli.MESSAGES, "%s%s: %s", where, " (encrypted)" if wrapper else "", message)
        if not LOG.isEnabledFor(cli.PARSED) or self._is_secret(message):
            return
        if message.function != Function.SERVER_POST_DATA:
            LOG.log(cli.PARSED, "%s", parse_payload(message.function, message.payload))
        self._log_raw(message.to_bytes())

    def _is_secret(self, message: Message) -> bool:
        """Whether this is part of an inverter's key, which no log may show."""
        if message.function == Function.PARAMS_GET_SINGLE:
            parameter = parse_payload(message.function, message.payload).get("parameter")
            if parameter in KEY_PARAMETERS:
                self._secret.append((message.dest, message.sequence))
        return (message.source, message.sequence) in self._secret

    def _log_telemetry(self, telemetry: Telemetry) -> None:
        if LOG.isEnabledFor(cli.PARSED):
            for line in telemetry.lines:
                LOG.log(cli.PARSED, "%s", encode_line(line).decode().rstrip())

    def _log_raw(self, raw: bytes) -> None:
        if LOG.isEnabledFor(cli.RAW):
            for line in _hex_lines(raw):
                LOG.log(cli.RAW, "%s", line)


def _count(what: str, parts: dict[str, int]) -> str:
    """`3 messages (0500 SERVER_POST_DATA 2, 0501 SERVER_GET_GMT 1)`"""
    details = ", ".join(f"{name} {count}" for name, count in sorted(parts.items()))
    return f"{sum(parts.values())} {what}" + (f" ({details})" if details else "")


def _hex_lines(raw: bytes) -> Iterator[str]:
    for start in range(0, len(raw), 16):
        yield f"data: {raw[start : start + 16].hex(' ')}"


def run(options: argparse.Namespace) -> int:
    """Do what semonitor.py was called for; returns the exit code."""
    _check(options)
    name = files.display_name(options.datasource)
    files.refuse_same_file(
        options.datasource,
        options.output,
        options.record,
        None if options.debug in cli.LOG_STREAMS else options.debug,
        *options.keys,
    )
    chunks = files.read_chunks(options.datasource, follow=options.follow)
    cli.set_up_log("semonitor", options.verbose, options.debug, append=options.append)
    store = SessionStore(options.keys)
    LOG.info("reading %s%s", name, " and following it" if options.follow else "")
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(cli.Stop())
        output = files.open_output(options.output, append=options.append, lines=True)
        monitor = Monitor(JsonLines(stack.enter_context(output)), strict=options.strict)
        chunks = unpack_messages(_until(stop, chunks), name, follow=options.follow)
        if options.record:
            record = files.open_output(options.record, append=options.append)
            chunks = _record(chunks, stack.enter_context(record))
        try:
            _read(monitor, name, chunks, store, stop)
        except InputError:
            if not stop.requested:  # a capture may well be inside a packet then
                raise
        finally:
            LOG.info("%s", monitor.summary(name))
        return stop.exit_code if stop.requested else 0


def _read(
    monitor: Monitor,
    name: str,
    chunks: Iterator[bytes | None],
    store: SessionStore,
    stop: cli.Stop,
) -> None:
    """Decode a file or stdin to its end, or until the program is asked to stop."""
    session = Session(store.keyring, Recent())
    size = 0
    for chunk in chunks:
        if chunk is None:
            session.close()
        else:
            session.receive_data(chunk, time.time())
            size += len(chunk)
        monitor.handle(name, session.events())
        store.save()
    if stop.requested:
        return
    session.close()
    monitor.handle(name, session.events())
    if size and not monitor.found_messages:
        cli.complain(f"semonitor.py: {name}: no SolarEdge message in {size} bytes")


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be meant. Raises UsageError."""
    source = options.datasource
    if options.interface or options.type == "n":
        raise UsageError("-n and -t n: the network is not available yet")
    if options.type:
        raise UsageError(f"-t {options.type}: serial ports are not available yet")
    if source and _SERIAL_PORT.fullmatch(source):
        raise UsageError(f"{source} is a serial port: say -t 2 (RS232) or -t 4 (RS485)")
    for flag, given in (
        ("-b", options.baud),
        ("-c", options.commands),
        ("-m", options.master),
        ("-s", options.slaves),
    ):
        if given:
            raise UsageError(f"{flag} is not for input from a file or stdin")


def _until(stop: cli.Stop, chunks: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """The chunks up to Ctrl-C or SIGTERM."""
    for chunk in chunks:
        if stop.requested:
            return
        yield chunk


def _record(chunks: Iterator[bytes | None], record: files.Output) -> Iterator[bytes | None]:
    """The chunks, each of them recorded before it is decoded."""
    for chunk in chunks:
        if chunk:
            record.write(chunk)
        yield chunk

"""One inverter in conversation with a server or an RS485 master, sans-IO.

    device.connect(now)                      first, and again for each new connection
    device.receive_data(data, now)           what came in
    device.handle_time(now)                  when `next_deadline()` is reached
    transport.write(device.data_to_send())   after each of these

It sends its reports one by one: each again until it is acknowledged, then comes the next. On RS485
it sends only while the bus is granted to it, and gives it back when it has sent what there is. It
answers commands: at once, on RS485 in its turn. With a key it opens an encrypted session, and from
then on neither sends anything in the clear nor takes it.

A line that devices share is a loop over them: all hear everything, each knows what is for it.
`now` is in seconds on any clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from enum import Enum

from se.simulator.commands import CommandResponder
from se.simulator.encoder import MessageEncoder
from se.simulator.faults import Faults, FaultyLine
from se.simulator.report_queue import ReportQueue
from se.simulator.site import ReportMessage, Site
from se.wire.framer import Discarded, Framer
from se.wire.functions import Function
from se.wire.keyring import KEY_FORMAT
from se.wire.message import Message
from se.wire.payloads import parse_payload

RESEND_S = 1.0
MESSAGES_PER_TURN = 8
TRIES_PER_TURN = 3
MAX_ANSWERS = 16
NO_FAULTS = Faults()


class Line(Enum):
    """What the inverter is connected to; the values are those of semonitor.py's -t."""

    RS232 = "2"
    RS485 = "4"
    NETWORK = "n"


class Device:
    """An inverter that sends `reports` through its `encoder`; see ReportQueue for `speed`.

    Over RS232 it takes every message for its own, whatever the address.
    """

    def __init__(
        self,
        encoder: MessageEncoder,
        reports: Iterator[ReportMessage],
        responder: CommandResponder,
        line: Line = Line.NETWORK,
        *,
        faults: Faults = NO_FAULTS,
        speed: float = 0.0,
    ):
        self.inverter = encoder.inverter
        self.responder = responder
        self.server_time: tuple[int, int] | None = None  # UTC seconds and zone offset
        self._encoder = encoder
        self._line = line
        self._never_release = faults.never_release
        self._faulty_line = FaultyLine(faults, encoder.inverter)
        self._queue = ReportQueue(encoder, reports, speed=speed, keep_alive=line is not Line.RS485)
        self._framer = Framer()
        self._now = 0.0
        self._sent_at: float | None = None  # the current message, which waits for its answer
        self._tries = 0
        self._reset_until = 0.0
        self._grant: Message | None = None  # RS485: it is our turn
        self._turn_end = 0  # of the messages acknowledged
        self._answers: dict[Message, Message] = {}  # to commands, by command
        self._out: list[bytes] = []

    @property
    def acknowledged(self) -> int:
        """How many messages were acknowledged."""
        return self._queue.acknowledged

    @property
    def finished(self) -> bool:
        """Whether everything was sent and acknowledged."""
        return self._queue.finished

    def connect(self, now: float) -> None:
        """Begin to send on a new line; what was not acknowledged will be sent again."""
        self._framer = Framer()
        self._out.clear()
        self._grant = self._sent_at = None
        self._queue.begin(now)
        self.handle_time(now)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the line."""
        self._now = now
        self._framer.feed(data)
        while event := self._framer.next_event():
            if not isinstance(event, Discarded) and now >= self._reset_until:
                self._receive(event)
        self.handle_time(now)

    def handle_time(self, now: float) -> None:
        """Send what is due at `now`."""
        self._now = now
        if not self._may_send or (self._sent_at is not None and now < self._sent_at + RESEND_S):
            return
        message = self._queue.current(now)
        if self._grant and (
            message is None or self._tries == TRIES_PER_TURN or self.acknowledged == self._turn_end
        ):
            self._release(self._grant)
        elif message is not None:
            self._tries += 1
            self._sent_at = now
            self._send(message)

    def next_deadline(self) -> float | None:
        """When `handle_time` is to be called, if nothing comes in before."""
        if self._now < self._reset_until:
            return self._reset_until
        if not self._may_send:
            return None
        return self._queue.next_due() if self._sent_at is None else self._sent_at + RESEND_S

    def data_to_send(self) -> bytes:
        """The bytes to send now, once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def _may_send(self) -> bool:
        if self._now < self._reset_until:
            return False
        return self._line is not Line.RS485 or self._grant is not None

    def _send(self, message: Message) -> None:
        self._out.append(self._faulty_line.send(self._encoder.to_bytes(message)))

    def _receive(self, outer: Message) -> None:
        message = self._encoder.decrypt(outer) if self._faulty_line.receives() else None
        if message is None or message.source == self.inverter:
            return
        if message.dest != self.inverter and self._line is not Line.RS232:
            return
        if message.function == Function.POLESTAR_MASTER_GRANT and self._line is Line.RS485:
            self._handle_grant(message)
        elif message.function in (Function.RESP_ACK, Function.RESP_SERVER_GMT):
            self._handle_acknowledgement(message)
        elif message.function != Function.RESP_NACK:
            self._handle_command(message)

    def _handle_grant(self, grant: Message) -> None:
        """The bus is ours: answers to commands go first."""
        self._grant, self._sent_at, self._tries = grant, None, 0
        self._turn_end = self.acknowledged + MESSAGES_PER_TURN
        for answer in self._answers.values():
            self._send(answer)
        self._answers.clear()

    def _release(self, grant: Message) -> None:
        self._grant = self._sent_at = None
        if not self._never_release:
            function = Function.RESP_POLESTAR_MASTER_GRANT_ACK
            self._send(Message(grant.sequence, self.inverter, grant.source, function))

    def _handle_acknowledgement(self, answer: Message) -> None:
        """The server's answer to our current message lets us go on."""
        current = self._queue.current(self._now)
        if current is None or self._sent_at is None or answer.sequence != current.sequence:
            return
        fields = parse_payload(answer.function, answer.payload)
        if (current.function == Function.SERVER_GET_GMT) != ("time" in fields):
            return
        if "time" in fields:
            self.server_time = (fields["time"], fields["offset"])
        self._queue.acknowledge(self._now)
        self._sent_at, self._tries = None, 0

    def _handle_command(self, command: Message) -> None:
        """Do and answer a command; the same command again has the same answer, once a turn."""
        function, payload = self.responder.answer(command.function, command.payload)
        answer = Message(command.sequence, self.inverter, command.source, function, payload)
        if self._may_send:
            self._send(answer)
        elif len(self._answers) < MAX_ANSWERS:
            self._answers[command] = answer
        if command.function == Function.MISC_RESET and function == Function.RESP_ACK:
            self._reset(command)

    def _reset(self, command: Message) -> None:
        """Start anew after the delay (ms) of the command; until then nothing is taken or sent."""
        delay = parse_payload(command.function, command.payload)["delay"]
        self._reset_until = self._now + delay / 1000
        self._grant = self._sent_at = None
        self._queue.begin(self._now)


def make_devices(
    site: Site,
    keys: Mapping[int, bytes],
    line: Line,
    *,
    faults: Faults = NO_FAULTS,
    speed: float = 0.0,
) -> list[Device]:
    """The inverters of a site, all on lines of one kind.

    `keys` are by inverter; one without has a key nevertheless, made from its ID and the seed, for
    whoever reads the parameters. A key from `keys` encrypts on the network, and nowhere else.
    """
    devices = []
    for inverter in site.inverters:
        seed = site.plan.seed
        given = keys.get(inverter.id)
        own = random.Random(f"key {seed} {inverter.id}").randbytes(KEY_FORMAT.size)
        encoder = MessageEncoder(inverter.id, given if line is Line.NETWORK else None, seed)
        responder = CommandResponder(given or own, inverter.energies)
        reports = site.inverter_reports(inverter)
        devices.append(Device(encoder, reports, responder, line, faults=faults, speed=speed))
    return devices

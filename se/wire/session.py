"""One stream of the protocol, sans-IO: bytes in, events out, answers to send.

    session.receive_data(data, now)         # or receive_message, if it is framed already
    for event in session.events(): ...      # everything received and sent, in order
    transport.write(session.data_to_send())

A session never raises on received bytes: what is wrong becomes an event. It has no clock:
`next_deadline` says when `handle_time` wants to be called, all times are UTC seconds.

A session that is given a `ServerEnvironment` acknowledges all good telemetry, before anybody looks
into it; without, it only listens. The events may be used before the answers are sent, so that what
is acknowledged can be safe on disk first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from se.wire.framer import Discarded, Framer
from se.wire.functions import Function
from se.wire.keyring import DecryptionFailure, Keyring
from se.wire.message import SERVER, Message, next_sequence
from se.wire.payloads import format_payload

if TYPE_CHECKING:
    from se.wire.crypto import Cipher

REPEATS_KNOWN = 8
SOURCES_KNOWN = 1024


class Received(NamedTuple):
    """A message; `wrapper` is the encrypted one that it came in.

    `repeated` says that it came before: the sender missed our answer, there is nothing new in it.
    """

    message: Message
    wrapper: Message | None
    repeated: bool


class Undecrypted(NamedTuple):
    """An encrypted message that cannot be read, and whose it is where that can be told."""

    message: Message
    reason: DecryptionFailure
    inverter: int | None


class Sent(NamedTuple):
    """A message that is among the next `data_to_send`; `wrapper` is its encrypted form."""

    message: Message
    wrapper: Message | None


class Answered(NamedTuple):
    """An inverter answered a command of ours; a NACK is an answer, too.

    This and a `Notice` come from conversations (`se.wire.conversation`), not from sessions alone.
    """

    function: int
    parameters: tuple[int, ...]
    answer: Message


class Notice(NamedTuple):
    """Something that the user should know about an inverter; the text goes on from its name."""

    inverter: int
    text: str


Event = Received | Undecrypted | Discarded | Sent | Answered | Notice


class RecentMessages:
    """Knows a telemetry message that came before: one of the last 8 of its source."""

    def __init__(self) -> None:
        # hashes (of 64 bits): whole messages of many sources would fill the memory
        self._messages: OrderedDict[int, deque[int]] = OrderedDict()

    def is_repeat(self, message: Message) -> bool:
        """Whether the same message came before; from now on it has."""
        messages = self._messages.setdefault(message.source, deque(maxlen=REPEATS_KNOWN))
        self._messages.move_to_end(message.source)
        if len(self._messages) > SOURCES_KNOWN:
            self._messages.popitem(last=False)
        digest = hash(message)
        if digest in messages:
            return True
        messages.append(digest)
        return False


class ServerEnvironment(NamedTuple):
    """What a server takes from the world: the zone's offset (s) at a time, random bytes."""

    offset: Callable[[int], int]
    random: Callable[[int], bytes]


class Session:
    """The state of one stream.

    `keyring` and `recent` outlive it where an inverter connects again. On a line where bytes get
    lost, what is incomplete is given up after `idle` seconds without data.
    """

    def __init__(
        self,
        keyring: Keyring,
        recent: RecentMessages,
        server: ServerEnvironment | None = None,
        *,
        idle: float | None = None,
    ):
        self._keyring = keyring
        self._recent = recent
        self._server = server
        self._idle = idle
        self._framer = Framer()
        self._messages: deque[Message] = deque()  # framed elsewhere
        self._now = 0.0
        self._encrypting: set[int] = set()  # inverters that opened a session in this stream
        self._wrapper_sequence = 0
        self._sent: deque[Sent] = deque()
        self._out: list[bytes] = []

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now`."""
        self._now = now
        self._framer.feed(data)

    def receive_message(self, message: Message, now: float) -> None:
        """Take a message that arrived at `now` in a stream that was framed elsewhere.

        The events and answers are those of `receive_data` with its bytes; a stream comes either
        this way or the other.
        """
        self._now = now
        self._messages.append(message)

    def close(self) -> None:
        """The stream ended or broke off: the next events give up what is incomplete."""
        self._framer.close()

    def next_deadline(self) -> float | None:
        """When `handle_time` has something to do, if nothing is received before."""
        if self._idle is None or not self._framer.pending:
            return None
        return self._now + self._idle

    def handle_time(self, now: float) -> None:
        """Do what is due at `now`."""
        deadline = self.next_deadline()
        if deadline is not None and now >= deadline:
            self._framer.close()

    def events(self) -> Iterator[Event]:
        """What happened since the last call, in order."""
        while True:
            while self._sent:
                yield self._sent.popleft()
            event = self._messages.popleft() if self._messages else self._framer.next_event()
            if event is None:
                return
            yield event if isinstance(event, Discarded) else self._handle(event)

    def data_to_send(self) -> bytes:
        """The bytes to send now, once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def send(self, message: Message, cipher: Cipher | None = None) -> None:
        """Send a message, encrypted with `cipher`, or in the inverter's session if it has one."""
        if cipher is None and message.dest in self._encrypting:
            cipher = self._keyring.cipher(message.dest)
        wrapper = None
        if cipher is not None:
            assert self._server is not None
            self._wrapper_sequence = next_sequence(self._wrapper_sequence)
            random = self._server.random(cipher.random_size)
            wrapper = cipher.encrypt(message, self._wrapper_sequence, random)
        self._out.append((wrapper or message).to_bytes())
        self._sent.append(Sent(message, wrapper))

    def _handle(self, message: Message) -> Event:
        """Look into an encrypted message, answer, and know repetitions."""
        wrapper = cipher = None
        if message.function == Function.MISC_ENCRYPTED:
            opened = self._keyring.decrypt(message.payload, self._encrypting)
            if opened is None:
                return Undecrypted(message, *self._keyring.record_failure())
            wrapper, (message, inverter) = message, opened
            cipher = self._keyring.cipher(inverter)
            self._encrypting.add(inverter)
        elif message.function == Function.SERVER_SET_KEY:
            self._keyring.open_session(message.source, message.payload, self._now)
            if self._keyring.cipher(message.source):
                self._encrypting.add(message.source)
        if self._server is not None and message.source != SERVER:
            self._answer(message, cipher, self._server)
        repeated = (
            message.function == Function.SERVER_POST_DATA
            and bool(message.payload)
            and self._recent.is_repeat(message)
        )
        return Received(message, wrapper, repeated)

    def _answer(self, message: Message, cipher: Cipher | None, server: ServerEnvironment) -> None:
        """What the server says to a message, if anything."""
        function, payload = Function.RESP_ACK, b""
        if message.function == Function.SERVER_GET_GMT:
            now = int(self._now)
            function = Function.RESP_SERVER_GMT
            payload = format_payload(function, now, server.offset(now))
        elif message.function == Function.SERVER_SET_KEY:
            # only an encrypted answer is of use: to a plain one the inverter says nothing more
            if message.source not in self._encrypting:
                return
        elif message.function != Function.SERVER_POST_DATA:
            return
        self.send(
            Message(message.sequence, message.dest, message.source, function, payload), cipher
        )

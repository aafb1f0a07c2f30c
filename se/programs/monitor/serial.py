"""semonitor.py on a serial port: listening, answering, sending commands, or leading a bus."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection

from se.keys import SessionStore
from se.programs.monitor.monitor import Monitor
from se.programs.monitor.options import SerialOptions
from se.programs.monitor.sequence_file import SequenceFile
from se.programs.monitor.zone import LocalZone
from se.stop import Stop
from se.stream import Mark
from se.transport.serial_port import SerialPort
from se.wire.commands import Commander, CommandQueue
from se.wire.conversation import Conversation
from se.wire.keyring import Keyring
from se.wire.master import Master
from se.wire.session import RecentMessages, ServerEnvironment, Session

IDLE_S = 1.0  # the rest of a message does not come after such a pause


class SerialSource:
    """A serial port, opened by its making, which raises DeviceError."""

    def __init__(self, options: SerialOptions):
        self.name = options.datasource
        self.inverters: Collection[int] = options.slaves
        self._options = options
        self._port = SerialPort(self.name, options.baud, reopen=not options.strict)

    def run(self, monitor: Monitor, store: SessionStore, stop: Stop) -> None:
        """Converse until a signal comes, or until all commands are answered.

        Lines are written out before what they came from is acknowledged.
        Raises CommandError, DeviceError, DataError, OutputError and InputError.
        """
        conversation = _conversation(self._options, store.keyring)
        with self._port as port:
            while not (stop.requested or conversation.done):
                data = port.read()
                if isinstance(data, bytes):
                    conversation.receive_data(data, time.time())
                elif data is Mark.BROKEN:
                    conversation.close()
                monitor.handle(self.name, conversation.events())
                conversation.handle_time(time.time())
                monitor.handle(self.name, conversation.events())
                port.write(conversation.data_to_send())
                store.save_soon()


def _conversation(options: SerialOptions, keyring: Keyring) -> Conversation:
    """What is to be said and answered on this port, if anything."""
    leading = options.master or options.commands
    server = ServerEnvironment(LocalZone().offset, os.urandom)
    # whoever is not asked to lead an RS485 bus has no business to speak there
    answers = leading or not options.is_bus
    session = Session(keyring, RecentMessages(), server if answers else None, idle=IDLE_S)
    if options.master:
        return Master(session, options.slaves, SequenceFile().next_number)
    if options.commands:
        number = SequenceFile().next_number
        queue = CommandQueue(options.slaves[0], deque(options.commands), number)
        return Commander(session, queue, grant=options.is_bus)
    return Conversation(session)

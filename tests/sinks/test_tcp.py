"""Connections that do not keep a program from ending."""

import contextlib
import socket
import threading

import pytest

from se.sinks.tcp import Address, connect


@pytest.fixture
def silent():
    """The address of a server that gives no answer: its queue is full."""
    with socket.socket() as full, contextlib.ExitStack() as queue:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            visitor = queue.enter_context(socket.socket())
            visitor.setblocking(False)
            visitor.connect_ex(full.getsockname())
        yield Address(*full.getsockname())


def test_the_end_of_the_program_does_not_wait_for_an_answer(silent, stop):
    threading.Timer(0.2, stop.request).start()
    with pytest.raises(OSError, match="canceled"):
        connect(silent, 60.0, stop)


def test_a_server_without_an_answer_is_given_up(silent, stop):
    with pytest.raises(OSError, match="timed out"):
        connect(silent, 0.1, stop)

"""What the tests of connections share: a program that nobody ends, and a server."""

import socket

import pytest


class NoStop:
    """A program that nobody ends, and that does not really sleep."""

    def __init__(self):
        self.requested = 0
        self.waits = []
        self._pipe = socket.socketpair()

    def fileno(self):
        return self._pipe[0].fileno()

    def wait(self, seconds):
        self.waits.append(seconds)
        return bool(self.requested)

    def request(self):
        self.requested = 15
        self._pipe[1].send(b"x")

    def close(self):
        for end in self._pipe:
            end.close()


@pytest.fixture
def stop():
    stop = NoStop()
    yield stop
    stop.close()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server

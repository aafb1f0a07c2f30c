"""The first signal asks the program to end, the second ends it."""

import os
import select
import signal
import time

import pytest

from se.stop import Stop


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["INT", "TERM"]
)
def test_the_first_signal_is_a_flag_that_wakes(number: int, code: int) -> None:
    with Stop() as stop:
        assert not stop.wait(0)
        assert stop.fileno() >= 0
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert stop.wait(60)
        assert stop.requested == number
        assert stop.exit_code == code
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_whoever_selects_on_the_flag_is_woken() -> None:
    with Stop() as stop:
        assert not select.select([stop], [], [], 0)[0]
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([stop], [], [], 10)[0] == [stop]


def test_the_second_signal_ends_the_program_where_it_stands() -> None:
    with pytest.raises(KeyboardInterrupt), Stop():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

"""Metrics and their names, the two protocols, and a connection that loses nothing."""

import pickle
import socket
import struct
import threading
import time

import pytest

from se.errors import OutputError
from se.sinks import carbon as carbon_module
from se.sinks import connector, tcp, unsure
from se.sinks.carbon import Carbon
from se.sinks.graphite import BATCH_LIMIT, encode_pickle, encode_text, metrics
from se.sinks.readings import Reading
from se.sinks.tcp import Address, Connection

NOON = 1446289200


def names(reading, base="base"):
    return [name for name, _, _ in metrics(base, reading)]


def test_every_number_is_sent_but_identifiers_and_housekeeping():
    fields = {
        "Date": "2015-10-31", "Time": "11:00:00", "dateTime": NOON, "seType": "0x0022",
        "seId": 30, "ID": 7, "Inverter": 0, "devLen": 58, "devType": "meters_0x0022", "recType": 5,
        "onlyIntervalData": 0, "AlwaysZero_off10_int2": 0, "Flag_off12_hex": 128,
        "HexConst_52": 1, "Undeciphered_data": "00 01", "P2X": None, "odd": True,
        "TotalE2Grid": 4711, "PfromX": -1.5,
    }  # fmt: skip
    reading = Reading("meters_0x0022", ("30", "5_GridImportExport"), fields)
    assert metrics("semonitor", reading) == [
        ("semonitor.meters_0x0022.30.5_GridImportExport.TotalE2Grid", NOON, 4711),
        ("semonitor.meters_0x0022.30.5_GridImportExport.PfromX", NOON, -1.5),
    ]


@pytest.mark.parametrize(
    ("base", "prefix"),
    [("semonitor", "semonitor."), ("home.roof.", "home.roof."), ("", ""), ("my ; 🏠", "my____.")],
)
def test_the_base_stands_before_the_names(base, prefix):
    reading = Reading("inverters", ("7F1",), {"dateTime": NOON, "Pac": 1})
    assert names(reading, base) == [f"{prefix}inverters.7F1.Pac"]


@pytest.mark.parametrize(
    ("identifier", "part"),
    [
        ("T-1_a", "T-1_a"),
        ("LG Chem/1;*?[]{}.\n", "LG_Chem_1_________"),
        ("ünï", "_n_"),
        ("", "_"),
        ("x" * 300, "x" * 200),
    ],
)
def test_what_graphite_cannot_take_in_a_name_becomes_an_underline(identifier, part):
    reading = Reading("batteries_0x0030", ("31", identifier), {"dateTime": NOON, "Vdc": 1})
    assert names(reading) == [f"base.batteries_0x0030.31.{part}.Vdc"]


def test_a_reading_without_a_time_is_not_sent_but_told(caplog):
    assert metrics("base", Reading("inverters", ("7F1",), {"Pac": 1})) == []
    assert caplog.messages == ["base.inverters.7F1: has no dateTime, Date and Time: not sent"]


def test_text_is_one_line_a_metric():
    batch = [("a.b", NOON, 1.5), ("a.c", NOON, 4294967295)]
    assert list(encode_text(batch)) == [b"a.b 1.5 1446289200\n", b"a.c 4294967295 1446289200\n"]


def test_pickle_is_one_message_a_batch_in_protocol_2():
    (message,) = encode_pickle([("a.b", NOON, 1.5), ("a.c", NOON, 2)])
    (length,) = struct.unpack(">L", message[:4])
    assert length == len(message) - 4
    assert message[4:6] == b"\x80\x02"
    assert pickle.loads(message[4:]) == [("a.b", (NOON, 1.5)), ("a.c", (NOON, 2))]


def test_a_big_batch_is_split_far_below_the_limit_of_carbon():
    batch: list[tuple[str, int, float]]
    batch = [(f"{'x' * 800}.{count}", NOON, count) for count in range(1234)]
    messages = list(encode_pickle(batch))
    assert [len(pickle.loads(message[4:])) for message in messages] == [BATCH_LIMIT] * 2 + [234]
    assert max(map(len, messages)) < 1 << 20
    assert list(encode_pickle([])) == []


def connection_to(listener, stop, delay=0.0, patience=60.0):
    address = Address(*listener.getsockname())
    return Carbon(address, "text", delay=delay, patience=patience, stop=stop)


@pytest.fixture(autouse=True)
def no_settling(monkeypatch):
    monkeypatch.setattr(carbon_module, "SETTLE_S", 0.0)


def accept_and_close(listener):
    """End a connection in good order: after reading what has come."""
    with listener.accept()[0] as peer:
        assert peer.recv(4096)


def collect(listener, connections=1):
    """Read that many connections to their ends, in a thread; returns its `join`."""
    received = []

    def serve():
        for _ in range(connections):
            with listener.accept()[0] as peer:
                received.append(b"".join(iter(lambda: peer.recv(4096), b"")))

    thread = threading.Thread(target=serve)
    thread.start()

    def join():
        thread.join(10)
        return received

    return join


def test_everything_has_arrived_when_the_connection_is_closed(listener, stop):
    join = collect(listener)
    connection = connection_to(listener, stop, delay=0.1)
    for message in (b"one\n", b"two\n"):
        connection.send(message)
    connection.close()
    assert join() == [b"one\ntwo\n"]
    assert stop.waits.count(0.1) == 2


def test_nothing_to_send_needs_no_server(stop):
    connection = Carbon(Address("127.0.0.1", 1), "text", delay=0, patience=0, stop=stop)
    connection.rest()
    connection.close()
    assert stop.waits == []


def test_what_is_unsure_is_sent_again_after_a_break(listener, stop, caplog):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    connection.send(b"two\n")
    accept_and_close(listener)
    join = collect(listener)
    connection.send(b"three\n")
    connection.close()
    assert join() == [b"one\ntwo\nthree\n"]
    assert [message.split(": ")[1] for message in caplog.messages] == [
        "connection lost (closed by the server)",
        "connected again",
    ]


def test_a_reset_connection_is_a_break_too(listener, stop):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    peer = listener.accept()[0]
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    join = collect(listener)
    connection.send(b"two\n")
    connection.close()
    assert join() == [b"one\ntwo\n"]


def test_a_break_is_noticed_while_there_is_nothing_to_send(listener, stop):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    connection.rest()
    accept_and_close(listener)
    join = collect(listener)
    connection.rest()
    connection.close()
    assert join() == [b"one\n"]


def test_a_break_at_the_very_end_is_mended(listener, stop):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    accept_and_close(listener)
    join = collect(listener)
    connection.close()
    assert join() == [b"one\n"]


class Clock:
    """Stands for the module `time`."""

    now = 1000.0

    def monotonic(self):
        return self.now


def stopped_clock(monkeypatch):
    """The clock of everything that has to do with a connection, stopped."""
    clock = Clock()
    for module in (connector, tcp, unsure):
        monkeypatch.setattr(module, "time", clock)
    return clock


def send_long_after(connection, monkeypatch):
    """Send `one`, and `two` when `one` is certain to have arrived."""
    clock = stopped_clock(monkeypatch)
    connection.send(b"one\n")
    clock.now += unsure.UNSURE_S + 1
    connection.send(b"two\n")


def test_what_arrived_long_ago_is_not_sent_again(listener, stop, monkeypatch):
    connection = connection_to(listener, stop)
    send_long_after(connection, monkeypatch)
    accept_and_close(listener)
    join = collect(listener)
    connection.close()
    assert join() == [b"two\n"]


def test_what_the_other_machine_has_not_confirmed_is_kept_however_old(listener, stop, monkeypatch):
    connection = connection_to(listener, stop)
    with monkeypatch.context() as changed:
        changed.setattr(Connection, "unconfirmed", 5)
        send_long_after(connection, monkeypatch)
    accept_and_close(listener)
    join = collect(listener)
    connection.close()
    assert join() == [b"one\ntwo\n"]


def test_a_server_that_is_not_there_yet_is_tried_with_growing_pauses(stop, caplog):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        connection = connection_to(reserved, stop)
        waits = []

        def wait(seconds):
            waits.append(seconds)
            if len(waits) == 9:
                reserved.listen()
            return False

        stop.wait = wait
        connection.send(b"one\n")
        peer = reserved.accept()[0]
        assert peer.recv(64) == b"one\n"
        peer.close()
    assert waits == [0, 0.5, 1, 2, 4, 8, 16, 32, 60]
    assert caplog.messages == []
    stop.requested = 15
    stop.wait = lambda seconds: True
    connection.close()


def test_a_server_that_was_there_is_tried_without_end(listener, stop, monkeypatch):
    monkeypatch.setattr(unsure, "UNSURE_S", -1.0)
    connection = connection_to(listener, stop, patience=0)
    connection.send(b"one\n")
    monkeypatch.undo()
    connection.send(b"two\n")
    accept_and_close(listener)
    address = listener.getsockname()
    listener.close()
    again = socket.socket()
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 20:
            again.bind(address)
            again.listen()
        return False

    monkeypatch.setattr(stop, "wait", wait)
    join = None
    connection.rest()
    assert waits[-1] == 60.0
    with again:
        again.settimeout(10)
        join = collect(again)
        connection.close()
        assert join() == [b"two\n"]


def test_a_server_that_closes_every_connection_is_not_hammered(listener, stop):
    def slam():
        for _ in range(6):
            listener.accept()[0].close()
        stop.request()

    thread = threading.Thread(target=slam)
    thread.start()
    connection = connection_to(listener, stop)
    while not stop.requested:
        connection.send(b"one\n")
    connection.close()
    thread.join(10)
    assert {0.5, 1.0, 2.0, 4.0} <= set(stop.waits)


def test_the_end_of_the_program_tells_that_not_everything_was_sent(listener, stop, caplog):
    stop.requested = 15
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    connection.close()
    assert caplog.messages[0].endswith("ended before everything was sent")


def test_the_end_of_the_program_does_not_wait_for_a_server_that_takes_nothing(listener, stop):
    connection = connection_to(listener, stop)
    peer = threading.Timer(0.2, stop.request)
    connection.send(b"small\n")
    peer.start()
    connection.send(bytes(50_000_000))
    peer.join()
    connection.close()
    assert stop.requested


def test_a_server_that_takes_nothing_for_long_is_taken_for_broken(listener, stop, monkeypatch):
    monkeypatch.setattr(tcp, "STALL_S", 0.05)
    lost = []
    connection = connection_to(listener, stop)

    def lose(error):
        lost.append(error)
        connection._disconnect()
        stop.request()

    monkeypatch.setattr(connection, "_lose", lose)
    connection.send(bytes(50_000_000))
    connection.close()
    assert "takes no data" in str(lost[0])


def test_a_slow_server_gets_everything(listener, stop):
    join = collect(listener)
    connection = connection_to(listener, stop)
    connection.send(bytes(14_000_000))
    connection.close()
    assert len(join()[0]) == 14_000_000


def test_what_is_unsure_does_not_fill_the_memory(listener, stop, monkeypatch):
    clock = stopped_clock(monkeypatch)
    monkeypatch.setattr(unsure, "UNSURE_BYTES", 100_000)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        clock.now += seconds
        return False

    monkeypatch.setattr(stop, "wait", wait)
    join = collect(listener)
    connection = connection_to(listener, stop)
    for _ in range(30):
        connection.send(bytes(10_000))
    assert sum(waits) > 2 * unsure.UNSURE_S
    connection.close()
    assert join() == [bytes(300_000)]


def test_what_the_server_says_is_of_no_interest(listener, stop):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    with listener.accept()[0] as peer:
        peer.sendall(b"hello")
        connection.send(b"two\n")
        assert peer.recv(8, socket.MSG_WAITALL) == b"one\ntwo\n"
    stop.requested = 15
    connection.close()


def test_a_server_that_does_not_end_the_connection_is_an_error(listener, stop, monkeypatch):
    monkeypatch.setattr(tcp, "LINGER_S", 0.05)
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    with listener.accept()[0] as peer:
        peer.sendall(b"hello")
        with pytest.raises(OutputError, match="did not confirm that it has read everything"):
            connection.close()


def test_the_end_of_the_program_does_not_wait_for_a_confirmation(listener, stop, caplog):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    threading.Timer(0.2, stop.request).start()
    with listener.accept()[0]:
        connection.close()
    assert caplog.messages[0].endswith("did not confirm that it has read everything")


def test_a_server_that_goes_on_reading_is_waited_for(listener, stop, monkeypatch):
    monkeypatch.setattr(tcp, "LINGER_S", 0.5)
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    left = iter(range(30, 0, -1))
    monkeypatch.setattr(Connection, "unconfirmed", property(lambda connection: next(left)))

    with listener.accept()[0] as peer:
        none_left = [Connection, "unconfirmed", 0]
        threading.Timer(1.0, monkeypatch.setattr, none_left).start()
        threading.Timer(1.2, peer.shutdown, [socket.SHUT_WR]).start()
        connection.close()


def test_a_connection_that_ends_before_everything_is_confirmed_was_lost(
    listener, stop, monkeypatch
):
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    answers = iter([3])
    unconfirmed = property(lambda connection: next(answers, 0))
    monkeypatch.setattr(Connection, "unconfirmed", unconfirmed)
    peer = listener.accept()[0]
    peer.shutdown(socket.SHUT_WR)
    join = collect(listener)
    connection.close()
    peer.close()
    assert join() == [b"one\n"]


def test_a_server_that_is_stopped_right_after_the_last_value_gets_it_again(
    listener, stop, monkeypatch
):
    monkeypatch.setattr(carbon_module, "SETTLE_S", 10.0)
    monkeypatch.setattr(stop, "wait", lambda seconds: time.sleep(min(seconds, 0.01)))
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    received = []

    def stop_and_start():
        accept_and_close(listener)
        with listener.accept()[0] as peer:
            received.append(peer.recv(64))
            stop.request()
            monkeypatch.setattr(stop, "wait", lambda seconds: True)

    thread = threading.Thread(target=stop_and_start)
    thread.start()
    connection.close()
    thread.join(10)
    assert received == [b"one\n"]


def test_a_server_that_closes_every_connection_is_given_up(listener, stop):
    def slam():
        with listener.accept()[0] as peer:
            peer.recv(64)

    connection = connection_to(listener, stop, patience=0)
    thread = threading.Thread(target=slam)
    thread.start()
    connection.send(b"one\n")
    thread.join(10)
    with pytest.raises(OutputError, match=r"closes every connection: is it carbon's text port\?"):
        connection.close()


def test_a_server_that_is_there_while_nothing_is_sent_counts_as_reached(
    listener, stop, monkeypatch
):
    clock = stopped_clock(monkeypatch)
    connection = connection_to(listener, stop)
    connection.send(b"one\n")
    clock.now += 10
    connection.rest()
    clock.now += 1000
    accept_and_close(listener)
    connection.rest()
    join = collect(listener)
    connection.send(b"two\n")
    connection.close()
    assert join() == [b"two\n"]

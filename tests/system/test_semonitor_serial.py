"""semonitor.py on a serial port, as a user runs it, with simulated inverters behind it."""

import contextlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from se.transport.serial_port import SerialPort
from se.wire.message import Message
from tests.captures import GOOD
from tests.support.processes import ROOT, command, environment, run, wait_until

FIRST, SECOND = "7f101234", "7f105678"
KEY = "00112233445566778899aabbccddeeff"
# a winter's day of two devices: a dozen messages
SITE = ("--optimizers", "1", "--interval", "3600", "--date", "2026-12-21")
ONE = (*SITE, "--ids", FIRST)
TWO = (*SITE, "--inverters", "2", "--ids", f"{FIRST},{SECOND}")
BOTH = ("-s", f"{FIRST},{SECOND}")
GET = "12,H329"
VALUE = 376715698
CUT = b'{"inverters": {"cut'
Inverter = Callable[..., subprocess.Popen[bytes]]


def lines(output: bytes) -> list[Any]:
    """The lines of JSON; a last one that was cut short is left out."""
    whole = output[: output.rfind(b"\n") + 1].splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in whole if line]


def answers(output: bytes) -> list[Any]:
    return [line for line in lines(output) if "command" in line]


def telemetry(output: bytes) -> Counter[str]:
    """How often each line of telemetry is there."""
    return Counter(json.dumps(line) for line in lines(output) if "inverters" in line)


def simulator(*options: str) -> list[str]:
    return [sys.executable, "-m", "se.simulator", *options]


def expected(*site: str) -> Counter[str]:
    """What the site's messages are in JSON, when they come out of a file."""
    recorded = subprocess.run(
        simulator(*site), capture_output=True, env=environment(), check=True, timeout=60
    )
    return telemetry(run("semonitor.py", stdin=recorded.stdout).stdout)


@pytest.fixture
def inverter(tmp_path: pathlib.Path) -> Iterator[Inverter]:
    """Starts simulated inverters behind the port `port` in the folder of the test."""
    with contextlib.ExitStack() as stack:

        def begin(*options: str) -> subprocess.Popen[bytes]:
            process = stack.enter_context(
                subprocess.Popen(
                    simulator("--pty", "--link", "port", *options),
                    stdout=subprocess.PIPE,
                    cwd=tmp_path,
                    env=environment(),
                )
            )
            stack.callback(process.terminate)
            assert process.stdout is not None and process.stdout.readline()
            return process

        yield begin


@pytest.fixture
def port(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "port"


def start(*arguments: object, cwd: pathlib.Path, **more: Any) -> subprocess.Popen[bytes]:
    """semonitor.py; what still runs at the end of a test is killed."""
    return begin(command("semonitor.py", *map(str, arguments)), cwd=cwd, **more)


def hurried(*arguments: object, cwd: pathlib.Path, **more: Any) -> subprocess.Popen[bytes]:
    """semonitor.py with shorter pauses between rounds and less patience with silence."""
    program = (
        "import sys, semonitor\n"
        "from se.wire import commands, master\n"
        "master.PAUSE_S = master.FINISHED_S = 0.05\n"
        "master.SILENCE_S = commands.ANSWER_S = 0.5\n"
        "commands.RELEASE_S = 0.1\n"
        "sys.exit(semonitor.main())\n"
    )
    return begin([sys.executable, "-c", program, *map(str, arguments)], cwd=cwd, **more)


STARTED: list[subprocess.Popen[bytes]] = []


def begin(arguments: list[str], **more: Any) -> subprocess.Popen[bytes]:
    more.setdefault("env", environment())
    STARTED.append(subprocess.Popen(arguments, **more))
    return STARTED[-1]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    while STARTED:
        with STARTED.pop() as process:
            process.kill()


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(20)


def until_all(
    process: subprocess.Popen[bytes], path: pathlib.Path, all_lines: Counter[str]
) -> None:
    """Let the program run until it has written all that there is, then a little more; stop it."""

    def complete() -> bool:
        assert process.poll() is None
        return path.exists() and len(telemetry(path.read_bytes())) >= len(all_lines)

    try:
        wait_until(complete, "all telemetry is there", 60)
        time.sleep(0.2)
    finally:
        assert stop(process) == 0
    assert telemetry(path.read_bytes()) == all_lines


# The examples of the user's document


def test_the_example_of_a_command(inverter: Inverter, tmp_path: pathlib.Path) -> None:
    inverter("--line", "2", *ONE, "--days", "0")
    done = run("semonitor.py", "-c", "0012,H0329", "-s", FIRST, "-t", "2", "port", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == (
        '{"command":18,"response":144,"sequence":1,'
        f'"data":{{"value":{VALUE},"type":0}},"parameters":[809]}}\n'
    )
    assert (tmp_path / "seseq.dat").read_text() == "1\n"
    SerialPort(str(tmp_path / "port"), 115200).close()


def test_the_example_of_setting_a_parameter_and_a_reset(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, "--days", "0")
    options = ("-s", FIRST, "-t", "2", "port")
    done = run("semonitor.py", "-c", "0011,H329,L0/0030,H01f4,L0", *options, cwd=tmp_path)
    assert done.returncode == 0
    keys = ("command", "response", "parameters")
    assert [tuple(line[key] for key in keys) for line in lines(done.stdout)] == [
        (0x11, 0x80, [0x329, 0]),
        (0x30, 0x80, [0x1F4, 0]),
    ]
    time.sleep(0.6)  # until the inverter has started anew
    done = run("semonitor.py", "-c", GET, *options, cwd=tmp_path)
    assert done.returncode == 0
    assert answers(done.stdout)[0]["data"]["value"] == 0
    assert answers(done.stdout)[0]["sequence"] == 3


def test_the_example_of_the_key_through_a_pipe(inverter: Inverter, tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret").write_text(KEY)
    inverter("--line", "2", *ONE, "--key", "secret")
    pipe = (
        f'"$PYTHON" "$ROOT/semonitor.py" -d log -vvvv -c 12,H239/12,H23a/12,H23b/12,H23c'
        f' -s {FIRST} -t 2 port | "$PYTHON" "$ROOT/sekey.py" -o {FIRST}.key'
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe],
        capture_output=True,
        cwd=tmp_path,
        env=environment(PYTHON=sys.executable, ROOT=str(ROOT)),
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    key_file = tmp_path / f"{FIRST}.key"
    assert key_file.read_text() == KEY + "\n"
    assert key_file.stat().st_mode & 0o777 == 0o600

    encrypted = simulator(*ONE, "--key", str(tmp_path / "secret"), "-o", "encrypted.dat")
    subprocess.run(encrypted, check=True, cwd=tmp_path, env=environment(), timeout=60)
    assert (
        b"no key was given"
        in run("semonitor.py", "-d", "stderr", "encrypted.dat", cwd=tmp_path).stderr
    )
    decoded = run("semonitor.py", "-k", key_file.name, "encrypted.dat", cwd=tmp_path)
    assert telemetry(decoded.stdout) == expected(*ONE)

    log = (tmp_path / "log").read_text()
    assert "PARAMS_GET_SINGLE" in log and "RESP_PARAMS_SINGLE" in log
    for part in range(0, 32, 8):
        raw = bytes.fromhex(KEY[part : part + 8])
        assert str(int.from_bytes(raw, "little")) not in log
        assert raw.hex(" ") not in log


def test_the_example_of_a_master_of_two_inverters(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter(*TWO)
    output = tmp_path / "day.json"
    process = start("-o", output, "-m", *BOTH, "-t", "4", "port", cwd=tmp_path)

    def both() -> bool:
        read = lines(output.read_bytes()) if output.exists() else []
        return {"7F101234", "7F105678"} <= {name for line in read for name in line["inverters"]}

    wait_until(both, "telemetry of both")
    assert stop(process) == 0
    assert telemetry(output.read_bytes()) <= expected(*TWO)


# Lines


def test_rs232_is_acknowledged_and_told_the_time_of_the_zone(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE)
    output = tmp_path / "day.json"
    process = start(
        *("-d", "log", "-vvv", "-o", "day.json", "-t", "2", "port"),
        cwd=tmp_path,
        env=environment(TZ="Asia/Kolkata"),
    )
    wait_until(lambda: output.exists() and len(lines(output.read_bytes())) >= 10, "telemetry")
    assert stop(process) == 0
    assert "'offset': 19800" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "faults",
    [
        ("--noise", "3", "--echo"),
        ("--never-release",),
        ("--lose", "7", "--noise", "4", "--never-release", "--echo"),
    ],
    ids=" ".join,
)
def test_a_bad_rs485_line_loses_nothing_and_writes_nothing_twice(
    faults: tuple[str, ...], inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter(*TWO, *faults)
    output = tmp_path / "day.json"
    process = hurried("-d", "log", "-o", output, "-m", *BOTH, "-t", "4", "port", cwd=tmp_path)
    until_all(process, output, expected(*TWO))


@pytest.mark.parametrize("faults", [("--lose", "12"), ("--noise", "2", "--echo")], ids=" ".join)
def test_a_bad_rs232_line_loses_nothing_and_writes_nothing_twice(
    faults: tuple[str, ...], inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, *faults)
    output = tmp_path / "day.json"
    process = start("-d", "log", "-o", output, "-t", "2", "port", cwd=tmp_path)
    until_all(process, output, expected(*ONE))


@contextlib.contextmanager
def bus(path: pathlib.Path) -> Iterator[int]:
    """A line that the test itself drives; `path` becomes its port."""
    end, other_end = os.openpty()
    path.symlink_to(os.ttyname(other_end))
    try:
        yield end
    finally:
        os.close(end)
        os.close(other_end)


def test_a_passive_listener_decodes_what_passes_and_says_nothing(
    port: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    noise = random.Random(7)
    with bus(port) as line:
        process = start(
            *("-d", "log", "-r", "day.dat", "-o", "day.json", "-t", "4", "port"),
            cwd=tmp_path,
        )
        output = tmp_path / "day.json"
        wait_until(output.exists, "it runs")
        sent = b""
        for raw in GOOD:
            sent += noise.randbytes(noise.randrange(8)) + raw
        os.write(line, sent)
        count = len(lines(run("semonitor.py", stdin=sent).stdout))
        wait_until(lambda: len(lines(output.read_bytes())) == count, "all lines are there")
        assert select.select([line], [], [], 0.3)[0] == []
        assert stop(process) == 0
    assert count > 2
    recorded = (tmp_path / "day.dat").read_bytes()
    assert sent.startswith(recorded) and len(sent) - len(recorded) < 8


def test_a_message_whose_rest_does_not_come_costs_only_itself(
    port: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    torn = Message(7, 0x7F101234, 0xFFFFFFFE, 0x0500, bytes(5000)).to_bytes()[:60]
    with bus(port) as line:
        process = start("-d", "log", "-o", "day.json", "-t", "4", "port", cwd=tmp_path)
        output = tmp_path / "day.json"
        wait_until(output.exists, "it runs")
        os.write(line, torn)
        wait_until(lambda: "incomplete" in (tmp_path / "log").read_text(), "it is given up")
        os.write(line, next(raw for raw in GOOD if lines(run("semonitor.py", stdin=raw).stdout)))
        wait_until(lambda: lines(output.read_bytes()), "the next one is there")
        assert stop(process) == 0


@pytest.mark.skipif(shutil.which("socat") is None, reason="no socat (Debian: socat)")
def test_an_adapter_on_the_network_that_restarts_costs_nothing(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, "--days", "3")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    adapter = [
        "socat",
        f"TCP-LISTEN:{number},bind=127.0.0.1,reuseaddr,fork",
        f"{tmp_path}/port,rawer",
    ]
    output, log = tmp_path / "day.json", tmp_path / "log"
    with contextlib.ExitStack() as stack:

        def plug_in() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(adapter, cwd=tmp_path, start_new_session=True)
            stack.callback(process.wait, 20)
            stack.callback(unplug, process)
            wait_until(lambda: is_listening(number), "the adapter listens")
            return process

        def unplug(process: subprocess.Popen[bytes]) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

        first = plug_in()
        url = f"socket://127.0.0.1:{number}"
        process = start("-d", "log", "-o", output, "-t", "2", url, cwd=tmp_path)
        wait_until(lambda: output.exists() and len(lines(output.read_bytes())) > 3, "telemetry")
        unplug(first)
        wait_until(lambda: log.exists() and ": lost: " in log.read_text(), "it is lost")
        plug_in()
        until_all(process, output, expected(*ONE, "--days", "3"))


def is_listening(number: int) -> bool:
    """Whether somebody listens there, without connecting."""
    sockets = pathlib.Path("/proc/net/tcp").read_text()
    return f"0100007F:{number:04X} 00000000:0000 0A" in sockets


def test_a_recording_gives_the_same_lines_and_holds_both_directions(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE)
    output = tmp_path / "day.json"
    process = start("-r", "day.dat", "-o", output, "-t", "2", "port", cwd=tmp_path)
    until_all(process, output, expected(*ONE))
    again = run("semonitor.py", "-v", "-d", "stderr", "day.dat", cwd=tmp_path)
    assert again.stdout == output.read_bytes()
    assert b"0080 RESP_ACK" in again.stderr and b", 0 bytes discarded" in again.stderr


# Commands


def test_commands_on_rs485_get_the_bus_for_their_answer(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter(*TWO)
    done = run(
        *("semonitor.py", "-c", f"{GET}/33/12,H9999", "-s", SECOND, "-t", "4", "port"), cwd=tmp_path
    )
    assert done.returncode == 0
    assert [(line["response"], line["data"]) for line in answers(done.stdout)] == [
        (0x90, {"value": VALUE, "type": 0}),
        (0xB0, {"version": "0003.2221"}),
        (0x81, {}),
    ]
    assert telemetry(done.stdout)


def test_telemetry_between_the_answers_is_written_and_acknowledged(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE)
    commands = "/".join([GET] * 80)
    first = run("semonitor.py", "-c", commands, "-s", FIRST, "-t", "2", "port", cwd=tmp_path)
    assert first.returncode == 0
    assert [line["sequence"] for line in answers(first.stdout)] == list(range(1, 81))
    assert telemetry(first.stdout) == expected(*ONE)


def test_an_unanswered_command_ends_with_its_name(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, "--days", "0", "--silent", "1")
    with hurried(
        *("-c", f"33/{GET}", "-s", FIRST, "-t", "2", "port"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"inverter 7F101234 did not answer command {GET} " in errors.decode()
    assert errors.count(b"\n") == 1
    assert len(answers(output)) == 1


def test_a_lossy_line_still_answers_every_command(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter(*ONE, "--days", "0", "--lose", "3")
    with hurried(
        *("-c", "/".join([GET] * 5), "-s", FIRST, "-t", "4", "port"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    ) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [line["sequence"] for line in answers(output)] == sorted(
        {line["sequence"] for line in answers(output)}
    )
    assert [line["data"]["value"] for line in answers(output)] == [VALUE] * 5


def test_an_inverter_with_another_id_is_named_in_the_log(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *SITE, "--ids", SECOND)
    done = run(
        *("semonitor.py", "-d", "stderr", "-c", GET, "-s", FIRST, "-t", "2", "port"), cwd=tmp_path
    )
    assert done.returncode == 0
    assert done.stderr.count(b"inverter 7F105678 is heard, which -s does not name") == 1


def test_a_part_of_a_key_that_is_set_is_not_in_the_log(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, "--days", "0")
    done = run(
        *("semonitor.py", "-d", "stderr", "-vvvv", "-c", "11,H239,L1020304/11,H329,L1020304"),
        *("-s", FIRST, "-t", "2", "port"),
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert done.stderr.count(b"16909060") == 1
    assert done.stderr.count(b"29 03 04 03") == 1 and b"39 02 04 03" not in done.stderr


def test_damaged_transaction_numbers_stop_a_command_before_it_is_sent(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, "--days", "0")
    (tmp_path / "seseq.dat").write_text("x\n")
    done = run("semonitor.py", "-c", GET, "-s", FIRST, "-t", "2", "port", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"seseq.dat: is damaged" in done.stderr


def test_a_slave_that_never_sends_gets_the_hint(inverter: Inverter, tmp_path: pathlib.Path) -> None:
    inverter(*ONE, "--days", "0")
    process = hurried("-d", "log", "-m", "-s", f"{FIRST},{SECOND}", "-t", "4", "port", cwd=tmp_path)
    log = tmp_path / "log"
    wait_until(lambda: log.exists() and "does not answer" in log.read_text(), "its neighbour")
    assert stop(process) == 0
    assert log.read_text().count("inverter 7F101234 answers, but has sent no data yet") == 1
    assert log.read_text().count("inverter 7F105678 does not answer") == 1


# Ends


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_at_once_and_leaves_whole_files_and_a_free_port(
    number: int, code: int, inverter: Inverter, tmp_path: pathlib.Path, port: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE, "--days", "30")
    output = tmp_path / "day.json"
    process = start("-o", output, "-t", "2", "port", cwd=tmp_path)
    wait_until(lambda: output.exists() and output.stat().st_size > 5000, "telemetry")
    assert stop(process, number) == code
    assert output.read_bytes().endswith(b"\n")
    SerialPort(str(port), 115200).close()


def test_killed_programs_leave_files_that_the_next_one_goes_on_with(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter(*TWO, "--days", "30")
    chance = random.Random(3)
    output, numbers = tmp_path / "day.json", tmp_path / "seseq.dat"
    arguments = ("-d", "log", "-a", "-o", output, "-m", *BOTH, "-t", "4", "port")
    last = 0
    for _ in range(6):
        process = hurried(*arguments, cwd=tmp_path)
        wait_until(lambda last=last: numbers.exists() and int(numbers.read_text()) > last, "a turn")
        time.sleep(chance.random() / 4)
        process.kill()
        process.wait()
        last = int(numbers.read_text())
        lines(output.read_bytes().replace(CUT, b""))
        with output.open("ab") as file:
            file.write(CUT)
    process = hurried(*arguments, cwd=tmp_path)
    wait_until(lambda: output.read_bytes().endswith(b"}\n"), "it goes on")
    assert stop(process) == 0
    text = output.read_bytes()
    assert text.count(CUT) == text.count(CUT + b"\n") == 6


def test_an_unplugged_port_is_opened_again(inverter: Inverter, tmp_path: pathlib.Path) -> None:
    site = (*ONE, "--days", "3")
    first = inverter("--line", "2", *site)
    output = tmp_path / "day.json"
    process = start("-d", "log", "-o", output, "-t", "2", "port", cwd=tmp_path)
    wait_until(lambda: output.exists() and len(lines(output.read_bytes())) > 3, "telemetry")
    stop(first)
    log = tmp_path / "log"
    wait_until(lambda: log.exists() and ": lost: " in log.read_text(), "it is lost")
    inverter("--line", "2", *site)
    until_all(process, output, expected(*site))
    assert "port: open again" in log.read_text()


def test_an_unplugged_port_is_an_error_with_x(inverter: Inverter, tmp_path: pathlib.Path) -> None:
    plugged = inverter("--line", "2", *ONE)
    output = tmp_path / "day.json"
    process = start(
        *("-x", "-o", output, "-t", "2", "port"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: output.exists() and output.stat().st_size > 0, "telemetry")
    stop(plugged)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.startswith(b"semonitor.py: port: lost: ") and errors.count(b"\n") == 1


def test_noise_halts_with_x(port: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with bus(port) as line:
        process = start(
            *("-x", "-o", "day.json", "-t", "4", "port"),
            cwd=tmp_path,
            stderr=subprocess.PIPE,
        )
        wait_until((tmp_path / "day.json").exists, "it runs")
        os.write(line, b"\xff" + GOOD[0])
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.startswith(b"semonitor.py: port: 1 bytes discarded: noise\n")


def test_output_that_cannot_be_written_is_not_acknowledged(
    inverter: Inverter, tmp_path: pathlib.Path
) -> None:
    inverter("--line", "2", *ONE)
    done = run(
        "semonitor.py", "-d", "log", "-vv", "-o", "/dev/full", "-t", "2", "port", cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr == b"semonitor.py: /dev/full: No space left on device\n"
    output = tmp_path / "day.json"
    process = start("-o", output, "-t", "2", "port", cwd=tmp_path)
    until_all(process, output, expected(*ONE))


# The command line

ONE_ID, TWO_IDS = ("-s", FIRST), ("-s", f"{FIRST},{SECOND}")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("/dev/ttyUSB0",), "/dev/ttyUSB0 is a serial port: say -t 2 (RS232) or -t 4 (RS485)"),
        (("socket://10.0.0.7:8899",), "socket://10.0.0.7:8899 is a serial port: say -t 2"),
        (("-c", GET, *ONE_ID, "day.dat"), "-c is not for input from a file or stdin"),
        (("-m", "day.dat"), "-m is not for input from a file or stdin"),
        (("-s", FIRST), "-s is not for input from a file or stdin"),
        (("-b", "9600"), "-b is not for input from a file or stdin"),
        (("-t", "2"), "-t 2 needs a serial port, such as /dev/ttyUSB0"),
        (("-t", "4", "-"), "-t 4 needs a serial port, such as /dev/ttyUSB0"),
        (("-t", "2", "-f", "port"), "-f is for files, not for a serial port"),
        (("-t", "2", "-m", *ONE_ID, "port"), "-m needs -t 4: only RS485 has a master"),
        (("-t", "4", "-m", "port"), "-m needs -s with the IDs of the inverters"),
        (("-t", "4", "-m", "-c", GET, *ONE_ID, "port"), "-c is not for -m"),
        (("-t", "2", "-c", GET, "port"), "-c needs exactly one inverter: name it with -s"),
        (("-t", "2", "-c", GET, *TWO_IDS, "port"), "-c needs exactly one inverter"),
        (("-t", "2", "-c", "12,H10000", *ONE_ID, "port"), "parameter 'H10000' needs more than"),
        (("-t", "2", "-c", "", *ONE_ID, "port"), "-c: there is an empty command"),
        (("-t", "2", "-s", "", "port"), "-s: '' is no inverter's ID"),
        (("-t", "2", "-s", "7f10123g", "port"), "-s: '7f10123g' is no inverter's ID"),
        (("-t", "2", "-s", "0x7f101234", "port"), "-s: '0x7f101234' is no inverter's ID"),
        (("-t", "2", "-s", "fffffffe", "port"), "-s: 'fffffffe' is no inverter's ID"),
        (("-t", "2", "-s", "0", "port"), "-s: '0' is no inverter's ID"),
        (("-t", "4", "-m", "-s", f"{FIRST},007F101234", "port"), "-s: 007F101234 is given twice"),
        (("-t", "2", "-b", "0", "port"), "-b 0: is no baud rate"),
        (("-t", "2", "-b", "-1", "port"), "-b -1: is no baud rate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_meant_is_a_usage_error(
    arguments: tuple[str, ...], text: str, tmp_path: pathlib.Path
) -> None:
    done = run("semonitor.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert text in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_port_that_cannot_be_opened_is_one_line_and_leaves_the_output_alone(
    tmp_path: pathlib.Path,
) -> None:
    output = tmp_path / "day.json"
    output.write_text("old\n")
    done = run("semonitor.py", "-o", output, "-t", "2", "/dev/ttyUSB99", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(b"semonitor.py: /dev/ttyUSB99: there is no such port")
    assert done.stderr.count(b"\n") == 1
    assert output.read_text() == "old\n"


def test_ids_have_any_case_and_leading_zeros(inverter: Inverter, tmp_path: pathlib.Path) -> None:
    inverter("--line", "2", *ONE, "--days", "0")
    for identity in ("7F101234", "0007f101234"):
        done = run(
            *("semonitor.py", "-d", "stderr", "-c", "33", "-s", identity, "-t", "2", "port"),
            cwd=tmp_path,
        )
        assert (done.returncode, done.stderr) == (0, b"")

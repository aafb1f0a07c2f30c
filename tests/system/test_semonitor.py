"""semonitor.py on files and stdin, as a user runs it."""

import json
import os
import pathlib
import signal
import subprocess
import time
from typing import Any

import pytest

from se.records import format_record
from se.wire.crypto import Cipher
from se.wire.message import Message
from tests.captures import ENCRYPTED, GOOD, NOISY, SET_KEY, TRIPLE_KEY
from tests.support.processes import command, environment, run, start, wait_until

KEY = "00112233445566778899aabbccddeeff"
SERVER = 0xFFFFFFFE


def telemetry(number: int, source: int = 0x7F101234) -> Message:
    payload = format_record(0x0080, 0x10000000 + number, {"dateTime": 1445734800 + number})
    return Message(number, source, SERVER, 0x0500, payload)


STREAM = b"".join(telemetry(number).to_bytes() for number in range(1, 101))


def lines(output: bytes) -> list[Any]:
    assert output == b"" or output.endswith(b"\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in output.splitlines()]


@pytest.fixture
def day(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "day.dat"
    path.write_bytes(STREAM)
    return path


def test_a_file_gives_one_line_a_message(day: pathlib.Path) -> None:
    result = run("semonitor.py", day)
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(lines(result.stdout)) == 100
    first = lines(result.stdout)[0]
    assert list(first) == ["inverters", "optimizers", "events"]
    assert first["optimizers"]["10000001"]["Time"] == "01:00:01"


def test_stdin_with_and_without_its_name(day: pathlib.Path) -> None:
    expected = run("semonitor.py", day).stdout
    for arguments in ([], ["-"], ["-f"]):
        assert run("semonitor.py", *arguments, stdin=STREAM).stdout == expected


def test_the_output_file_is_overwritten_or_appended_to(day: pathlib.Path) -> None:
    output = day.with_suffix(".json")
    for arguments, count in (([], 100), ([], 100), (["-a"], 200)):
        assert run("semonitor.py", *arguments, "-o", output, day).stdout == b""
        assert len(lines(output.read_bytes())) == count
    output.write_bytes(b'{"cu')
    run("semonitor.py", "-a", "-o", output, day)
    assert output.read_bytes().startswith(b'{"cu\n{"inverters"')


def test_what_the_shell_appends_to_is_not_cut(day: pathlib.Path) -> None:
    output = day.with_suffix(".json")
    output.write_text("{}\n")
    with output.open("ab") as stdout:
        assert start("semonitor.py", day, stdout=stdout.fileno()).wait(20) == 0
    assert len(lines(output.read_bytes())) == 101


def test_times_are_those_of_the_zone(day: pathlib.Path) -> None:
    first = lines(run("semonitor.py", day, TZ="America/New_York").stdout)[0]
    record = first["optimizers"]["10000001"]
    assert (record["Date"], record["Time"]) == ("2015-10-24", "21:00:01")
    assert record["dateTime"] == 1445734801


def test_a_repeated_message_is_written_once(day: pathlib.Path) -> None:
    day.write_bytes(telemetry(1).to_bytes() * 3 + telemetry(2).to_bytes())
    result = run("semonitor.py", "-v", "-d", "stderr", day)
    assert len(lines(result.stdout)) == 2
    assert b"2 messages repeated" in result.stderr


def test_everything_of_the_captures(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "captures.dat"
    path.write_bytes(b"".join(GOOD + NOISY))
    (tmp_path / "7f104920.key").write_text(TRIPLE_KEY.hex())
    result = run("semonitor.py", "-v", "-d", "stderr", "-k", tmp_path / "7f104920.key", path)
    assert len(lines(result.stdout)) == 2 + 1  # the two events are of one inverter
    summary = result.stderr.decode().splitlines()[-1]
    assert "0080 RESP_ACK 3" in summary  # one of them encrypted
    assert "3 records (0x0022 1, 0x0300 2)" in summary
    assert f"{22 * len(NOISY)} bytes discarded (checksum {22 * len(NOISY)})" in summary


def test_the_record_is_the_bytes_that_were_read(day: pathlib.Path) -> None:
    junk = b"\x80" + STREAM[:1000] + b"\xff\xff" + STREAM[990:]
    record = day.with_name("record")
    first = run("semonitor.py", "-r", record, stdin=junk)
    assert record.read_bytes() == junk
    assert run("semonitor.py", record).stdout == first.stdout
    run("semonitor.py", "-a", "-r", record, day)
    assert record.read_bytes() == junk + STREAM


@pytest.mark.parametrize("verbosity", ["-v", "-vv", "-vvv", "-vvvv"])
@pytest.mark.parametrize("target", ["stderr", "syslog", "log"])
def test_logging_never_changes_the_result(day: pathlib.Path, verbosity: str, target: str) -> None:
    day.write_bytes(STREAM[:3000] + b"\0" + NOISY[0] + SET_KEY + ENCRYPTED)
    expected = run("semonitor.py", day).stdout
    result = run("semonitor.py", verbosity, "-d", target, day, cwd=day.parent)
    assert result.stdout == expected
    assert result.returncode == 0


def test_what_each_level_logs(day: pathlib.Path) -> None:
    day.write_bytes(telemetry(1).to_bytes() + Message(7, SERVER, 5, 0x0012, b"\x29\3").to_bytes())

    def log(verbosity: str) -> str:
        return run("semonitor.py", verbosity, "-d", "stderr", day).stderr.decode()

    one, two, three, four = map(log, ("-v", "-vv", "-vvv", "-vvvv"))
    assert f"reading {day}" in one and "in 1" not in one
    assert f"{day} in 1: 7f101234 -> fffffffe seq 0001 0500 SERVER_POST_DATA, 43 bytes" in two
    assert f"{day} in 2: fffffffe -> 00000005 seq 0007 0012 PARAMS_GET_SINGLE, 24 bytes" in two
    assert "parameter" not in two
    assert "{'parameter': 809}" in three and '"10000001"' in three and "data: " not in three
    assert "data: 12 34 56 79 02 00 fd ff 07 00 fe ff ff ff 05 00\n" in four
    assert four.count("data: ") == 3 + 2


def test_the_log_can_go_to_stdout_and_a_file_is_appended_to_with_a(day: pathlib.Path) -> None:
    output = run("semonitor.py", "-v", "-d", "stdout", day).stdout.decode()
    assert output.count("INFO") == 2 and output.count('{"inverters"') == 100
    log = day.with_suffix(".log")
    for flags in (["-v"], ["-va"]):
        run("semonitor.py", *flags, "-d", log, day)
    assert log.read_text().count("reading") == 2


def test_a_right_key_is_not_blamed_for_another_inverters_messages(day: pathlib.Path) -> None:
    mine, other = bytes(range(34)), bytes(range(1, 35))
    key, other_key = bytes.fromhex(KEY), bytes(16)
    set_key = Message(1, 0x7F101234, SERVER, 0x0503, mine)
    foreign = Cipher(other_key, other).encrypt(telemetry(9, 0x7F105678), 1, os.urandom(20))
    own = Cipher(key, mine).encrypt(telemetry(2), 2, os.urandom(20))
    day.write_bytes(b"".join(message.to_bytes() for message in (set_key, foreign, own)))
    (day.parent / "7f101234.key").write_text(KEY)
    result = run("semonitor.py", "-d", "stderr", "-k", day.parent / "7f101234.key", day)
    assert len(lines(result.stdout)) == 1
    assert b"does not fit" not in result.stderr


def test_the_log_of_messages_that_cannot_be_decrypted_can_be_decoded_later(
    day: pathlib.Path,
) -> None:
    opening = bytes(range(34))
    cipher = Cipher(bytes.fromhex(KEY), opening)
    wrapped = [cipher.encrypt(telemetry(n), n, os.urandom(20)) for n in range(1, 4)]
    set_key = Message(1, 0x7F101234, SERVER, 0x0503, opening)
    day.write_bytes(b"".join(message.to_bytes() for message in (set_key, *wrapped)))
    log = run("semonitor.py", "-vvvv", "-d", "stderr", day).stderr
    assert log.count(b"003d MISC_ENCRYPTED") == 3 and log.count(b"no key was given") == 1
    (day.parent / "7f101234.key").write_text(KEY)
    assert len(lines(run("semonitor.py", "-k", day.parent / "7f101234.key", stdin=log).stdout)) == 3


def test_no_part_of_a_key_is_logged(day: pathlib.Path) -> None:
    inverter = 0x7F101234
    secret = 0x0BADCAFE
    day.write_bytes(
        b"".join(
            Message(number, *way, function, payload).to_bytes()
            for number, parameter in enumerate((0x0239, 0x023C, 0x0329), 1)
            for way, function, payload in (
                ((SERVER, inverter), 0x0012, parameter.to_bytes(2, "little")),
                ((inverter, SERVER), 0x0090, secret.to_bytes(4, "little") + bytes(2)),
            )
        )
    )
    log = run("semonitor.py", "-vvvv", "-d", "stderr", day).stderr.decode()
    assert log.count(str(secret)) == 1  # of the parameter that is no part of the key
    assert log.count("fe ca ad 0b") == 1
    damaged = bytearray(day.read_bytes())
    damaged[-1] ^= 1  # of the last answer, when a key has been asked for
    damaged[70] ^= 1  # of the second question
    log = run("semonitor.py", "-vvvv", "-d", "stderr", stdin=bytes(damaged)).stderr.decode()
    assert log.count("bytes discarded: checksum") == 2 and "fe ca" not in log


def test_an_encrypted_inverter(tmp_path: pathlib.Path) -> None:
    opening = bytes(range(34))
    cipher = Cipher(bytes.fromhex(KEY), opening)
    wrapped = [cipher.encrypt(telemetry(n), n, os.urandom(20)) for n in range(1, 21)]
    set_key = Message(1, 0x7F101234, SERVER, 0x0503, opening)
    stream = [set_key, *wrapped[:10], telemetry(50), *wrapped[10:]]
    path = tmp_path / "day.dat"
    path.write_bytes(b"".join(message.to_bytes() for message in stream))
    named = tmp_path / "7f101234.key"
    named.write_text(KEY)
    several = tmp_path / "keys"
    several.write_text(f"# all of mine\n{KEY[::-1]}\n7f101234 {KEY}\n")
    other = tmp_path / "other.key"
    other.write_text(KEY[::-1])
    for keys in ([named], [several], [other, named]):
        result = run("semonitor.py", *(f"-k{key}" for key in keys), path)
        assert len(lines(result.stdout)) == 21
        assert result.stderr == b""

    rest = b"".join(message.to_bytes() for message in wrapped)
    assert len(lines(run("semonitor.py", "-k", named, stdin=rest).stdout)) == 20

    result = run("semonitor.py", "-d", "stderr", "-k", other, path)
    assert len(lines(result.stdout)) == 1
    assert result.stderr.count(b"inverter 7F101234: the key does not fit this inverter") == 1
    assert result.stderr.count(b"\n") == 1

    result = run("semonitor.py", "-v", "-d", "stderr", path)
    assert result.stderr.count(b"no key was given") == 1
    assert b"20 messages not decrypted" in result.stderr


@pytest.mark.parametrize(
    ("junk", "complaint"),
    [
        (NOISY[0], "22 bytes discarded: checksum"),
        (b"\x80", "1 bytes discarded: noise"),
        (GOOD[0][:20], "20 bytes discarded: incomplete"),
        (ENCRYPTED, "encrypted message: no key was given for it"),
        (Message(1, 2, 3, 0x0500, b"\x80\0\1\0\0\0\x0d\0abcd").to_bytes(), "has 4 of its 13 bytes"),
    ],
)
def test_with_x_the_first_trouble_ends_the_program_and_is_dumped(
    day: pathlib.Path, junk: bytes, complaint: str
) -> None:
    day.write_bytes(telemetry(1).to_bytes() + junk)
    result = run("semonitor.py", "-x", day)
    assert result.returncode == 1
    message, *dump = result.stderr.decode().splitlines()
    assert message.startswith(f"semonitor.py: {day}: ") and complaint in message
    assert bytes.fromhex("".join(line.removeprefix("data: ") for line in dump)) == junk
    assert len(lines(result.stdout)) >= 1
    result = run("semonitor.py", "-v", "-d", "stderr", day)
    assert result.returncode == 0
    assert complaint in result.stderr.decode()


def test_with_x_everything_before_the_trouble_is_written(day: pathlib.Path) -> None:
    day.write_bytes(STREAM + b"\0" + STREAM)
    result = run("semonitor.py", "-x", day)
    assert (result.returncode, len(lines(result.stdout))) == (1, 100)


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["none.dat"], 1, "none.dat: No such file or directory"),
        (["."], 1, ".: Is a directory"),
        (["-o", "none/out.json", "day.dat"], 1, "none/out.json: No such file or directory"),
        (["-r", ".", "day.dat"], 1, ".: Is a directory"),
        (["-d", "none/log", "day.dat"], 1, "none/log: No such file or directory"),
        (["-o", "/dev/full", "day.dat"], 1, "/dev/full: No space left on device"),
        (["-r", "/dev/full", "day.dat"], 1, "/dev/full: No space left on device"),
        (["-k", "none.key", "day.dat"], 1, "none.key: No such file or directory"),
        (["-k", "day.dat", "day.dat"], 1, "day.dat: is the same file as day.dat"),
        (["-o", "day.dat", "day.dat"], 1, "day.dat: is the same file as day.dat"),
        (["/dev/ttyUSB0"], 2, "/dev/ttyUSB0 is a serial port: say -t 2 (RS232) or -t 4 (RS485)"),
        (["COM4"], 2, "COM4 is a serial port"),
        (["-c", "12,H329", "day.dat"], 2, "-c is not for input from a file or stdin"),
        (["-m"], 2, "-m is not for input from a file or stdin"),
        (["-s", "7f101234", "day.dat"], 2, "-s is not for input from a file or stdin"),
        (["-b", "9600", "day.dat"], 2, "-b is not for input from a file or stdin"),
        (["-t", "3", "day.dat"], 2, "argument -t"),
        (["-q"], 2, "unrecognized arguments: -q"),
        (["day.dat", "day.dat"], 2, "unrecognized arguments: day.dat"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    day: pathlib.Path, arguments: list[str], code: int, complaint: str
) -> None:
    result = run("semonitor.py", *arguments, cwd=day.parent)
    error = result.stderr.decode()
    assert result.returncode == code
    assert error.startswith("semonitor.py: ") and error.count("\n") == 1
    assert complaint in error
    assert day.read_bytes() == STREAM


@pytest.mark.parametrize("option", ["-o", "-r", "-d"])
def test_redirected_input_is_not_overwritten(day: pathlib.Path, option: str) -> None:
    with day.open("rb") as stdin:
        process = start("semonitor.py", option, day, stdin=stdin.fileno(), stderr=subprocess.PIPE)
        _, error = process.communicate()
    assert process.returncode == 1
    assert error.decode() == f"semonitor.py: {day}: is the same file as stdin\n"
    assert day.read_bytes() == STREAM


def test_a_key_file_that_is_given_twice_does_no_harm(day: pathlib.Path) -> None:
    key = day.with_name("7f101234.key")
    key.write_text(KEY)
    assert len(lines(run("semonitor.py", "-k", key, "-k", key, day).stdout)) == 100


def test_a_wrong_key_file_does_not_cost_the_old_output(day: pathlib.Path) -> None:
    output = day.with_suffix(".json")
    output.write_text("precious\n")
    (day.parent / "bad.key").write_text("secret")
    result = run("semonitor.py", "-k", "bad.key", "-o", output, day, cwd=day.parent)
    assert result.returncode == 1
    assert b"bad.key: line 1 is no key" in result.stderr and b"secret" not in result.stderr
    assert output.read_text() == "precious\n"


def test_an_output_that_cannot_be_opened_does_not_cost_the_other_one(day: pathlib.Path) -> None:
    precious = day.with_suffix(".json")
    for options in (("-o", precious, "-r", "none/x"), ("-r", precious, "-o", "none/x")):
        precious.write_text("precious\n")
        assert run("semonitor.py", *options, day, cwd=day.parent).returncode == 1
        assert precious.read_text() == "precious\n"


def test_input_without_a_message_is_told(day: pathlib.Path) -> None:
    day.write_text("Sat Oct 31 19:52:38 2015\n")
    result = run("semonitor.py", "-d", "log", day, cwd=day.parent)
    assert result.returncode == 0
    assert result.stderr.decode() == f"semonitor.py: {day}: no SolarEdge message in 25 bytes\n"
    assert run("semonitor.py", stdin=b"").stderr == b""


def test_a_reader_that_goes_away_ends_it_quietly(day: pathlib.Path) -> None:
    day.write_bytes(STREAM * 300)
    result = subprocess.run(
        [
            "bash",
            "-c",
            '"$@" | head -1; exit ${PIPESTATUS[0]}',
            "-",
            *command("semonitor.py", str(day)),
        ],
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert (len(lines(result.stdout)), result.stderr) == (1, b"")
    assert result.returncode == 141


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["INT", "TERM"]
)
@pytest.mark.parametrize("source", ["followed", "stdin"])
def test_ctrl_c_ends_it_quietly_with_whole_lines(
    day: pathlib.Path, source: str, number: int, code: int
) -> None:
    output = day.with_suffix(".json")
    arguments = ["-f", day] if source == "followed" else []
    with start(
        "semonitor.py",
        "-o",
        output,
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        if source == "stdin":
            process.stdin.write(STREAM + STREAM[:20])
            process.stdin.flush()
        wait_until(lambda: output.exists() and output.read_bytes().count(b"\n") == 100, "written")
        begin = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == code
        assert time.monotonic() - begin < 5
        assert process.stderr.read() == b""
    assert len(lines(output.read_bytes())) == 100


def test_a_growing_file_is_followed(day: pathlib.Path) -> None:
    output = day.with_suffix(".json")

    def written(count: int) -> None:
        wait_until(lambda: output.read_bytes().count(b"\n") == count, f"{count} lines")

    with start("semonitor.py", "-f", "-o", output, day) as process:
        wait_until(output.exists, "output")
        written(100)
        with day.open("ab") as file:
            for byte in telemetry(200).to_bytes():
                file.write(bytes([byte]))
                file.flush()
        written(101)
        day.write_bytes(telemetry(201).to_bytes())  # truncated
        written(102)
        day.rename(day.with_suffix(".1"))  # rotated
        day.write_bytes(telemetry(202).to_bytes())
        written(103)
        process.terminate()
    assert process.returncode == 0
    devices = [list(line["optimizers"])[0] for line in lines(output.read_bytes())[-3:]]
    assert devices == ["100000C8", "100000C9", "100000CA"]


def test_a_message_that_a_rotation_cut_does_not_spoil_the_next_file(day: pathlib.Path) -> None:
    output = day.with_suffix(".json")
    day.write_bytes(telemetry(1).to_bytes()[:-5])
    with start("semonitor.py", "-f", "-o", output, day) as process:
        wait_until(output.exists, "output")
        time.sleep(0.2)
        day.rename(day.with_suffix(".1"))
        day.write_bytes(telemetry(2).to_bytes())
        wait_until(lambda: output.read_bytes().count(b"\n"), "a line")
        process.terminate()
    assert list(lines(output.read_bytes())[0]["optimizers"]) == ["10000002"]

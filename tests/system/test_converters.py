"""The converters as processes and in pipelines, as a user runs them."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import pickle
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from subprocess import PIPE
from typing import Any

import pytest

from tests.support.day import day_lines, day_messages
from tests.support.pcap_writer import Connection, frames, pcap
from tests.support.processes import (
    ROOT,
    command,
    environment,
    run,
    start,
    wait_until,
    wait_until_it_heeds_sigterm,
)

CONVERTERS = ["se2state.py", "se2csv.py", "se2graphite.py", "pickle2graphite.py"]
GRAPHITE = ["se2graphite.py", "pickle2graphite.py"]

# as the original program wrote in past years: sorted keys, NaN, raw numbers, no dateTime
OLD_LINE = (
    b'{"events": {}, "inverters": {"7F104920": {"Date": "2015-10-31", "Eac": 12.5, "Etot": NaN, '
    b'"ID": "7F104920", "Pac": -3.4028234663852886e+38, "Pmax": 4286578687, "Temp": 21.0, '
    b'"Time": "12:00:00", "Vac": 241.25}}, "optimizers": {"104A2B3C": {"Date": "2015-10-31", '
    b'"Eday": 1034.25, "ID": "104A2B3C", "Inverter": "7F104920", "Time": "12:00:02"}}}\n'
)
ANSWER = b'{"command": 18, "response": 144, "sequence": 1, "data": {"value": 3, "type": 0}}\n'
DAMAGED = b'{"inverters": {"7F1\nnoise \xff\xfe\n[1]\n\n{"optimizers": 5}\n'


def pipeline(text: str, folder: pathlib.Path, stdin: bytes = b"") -> None:
    """Run a pipeline as the README has it, with the programs of this repository."""
    for script in ROOT.glob("*.py"):
        text = text.replace(f" {script.name}", f" {' '.join(command(script.name))}")
    subprocess.run(
        ["bash", "-c", f"set -o pipefail; {text}"],
        input=stdin, cwd=folder, env=environment(), check=True, timeout=60,
    )  # fmt: skip


def line(second: int, name: str = "7F1", **fields: Any) -> bytes:
    fields = {"ID": name, "dateTime": 1446289200 + second, "Pac": second, **fields}
    return (
        json.dumps({"inverters": {name: fields}, "optimizers": {}, "events": {}}).encode() + b"\n"
    )


def records(lines: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Device type and fields of every device of every line."""
    for data in map(json.loads, lines.splitlines()):
        for device_type, devices in data.items():
            nested = device_type.startswith(("meters_", "batteries_"))
            for device in devices.values():
                for fields in device.values() if nested else [device]:
                    yield device_type, fields


class Server:
    """A server that only listens; what every connection said is in `received`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return
            with peer:
                self.received.append(b"")
                while chunk := peer.recv(1 << 16):
                    self.received[-1] += chunk

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as listening:
        yield listening


def test_the_pipeline_of_the_state_file(tmp_path: pathlib.Path) -> None:
    pipeline(
        "cat | semonitor.py | tee day.json | se2state.py -o solar.json", tmp_path, day_messages()
    )
    assert (tmp_path / "day.json").read_bytes() == day_lines()
    state = json.loads((tmp_path / "solar.json").read_bytes())
    assert len(state["inverters"]) == 2 and len(state["optimizers"]) == 8
    last = {
        (device_type, fields.get("ID", fields.get("seId"))): fields
        for device_type, fields in records(day_lines())
    }
    momentary_values = {"Eac", "Pac", "Pac1", "Pac2", "Pac3", "Iac", "Vmod", "Vopt", "Imod"}
    for device_type in ("inverters", "optimizers"):
        for name, fields in state[device_type].items():
            for key, value in last[device_type, name].items():
                assert fields[key] == value or key in momentary_values and fields[key] == 0
    assert set(state) > {"meters_0x0022", "batteries_0x0030"}


def csv_value(cell: str, value: Any) -> Any:
    """A cell as the value that it stands for."""
    return type(value)(cell) if value is not None else cell or None


def assert_csv_files_hold_the_day(folder: pathlib.Path) -> None:
    """Every field of every record of the day equals the cell in its row; nothing else is there."""
    rows = {
        path.name.split(".")[1]: iter(
            list(csv.DictReader(path.read_text().splitlines(), strict=True))
        )
        for path in folder.glob("day.*.csv")
    }
    count = 0
    for device_type, fields in records(day_lines()):
        row = next(rows[device_type])
        assert {name: csv_value(row[name], value) for name, value in fields.items()} == fields
        assert not any(cell for name, cell in row.items() if name not in fields)
        count += 1
    assert count > 2000
    assert [next(rest, None) for rest in rows.values()] == [None] * len(rows)


def test_every_field_of_the_day_comes_back_from_the_csv_files(tmp_path: pathlib.Path) -> None:
    pipeline("cat | semonitor.py | se2csv.py -p day -h", tmp_path, day_messages())
    assert_csv_files_hold_the_day(tmp_path)


def test_the_pipeline_from_a_capture_to_csv(tmp_path: pathlib.Path) -> None:
    connection = Connection()
    messages = day_messages()
    pieces = (messages[start : start + 1400] for start in range(0, len(messages), 1400))
    segments = [*connection.open(), *connection.send(*pieces), *connection.close()]
    (tmp_path / "x.pcap").write_bytes(pcap(frames(segments)))
    pipeline(" seextract.py x.pcap | semonitor.py | se2csv.py -p day -h", tmp_path)
    assert_csv_files_hold_the_day(tmp_path)


def test_every_field_of_the_day_comes_back_with_pandas(tmp_path: pathlib.Path) -> None:
    pandas = pytest.importorskip("pandas")
    assert run("se2csv.py", "-h", "-p", "day", stdin=day_lines(), cwd=tmp_path).returncode == 0
    expected: dict[str, list[dict[str, Any]]] = {}
    for device_type, fields in records(day_lines()):
        expected.setdefault(device_type, []).append(fields)
    texts = dict.fromkeys("ID Inverter seId batteryId Event1 Event2 Event3".split(), str)
    for device_type, rows in expected.items():
        path = tmp_path / f"day.{device_type}.csv"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # since 3.1 every float comes back, unasked
            table = pandas.read_csv(path, dtype=texts, float_precision="round_trip")
        assert len(table) == len(rows)
        for name in {name for row in rows for name in row}:
            for cell, row in zip(table[name], rows, strict=True):
                value = row.get(name)
                if value is None:
                    assert pandas.isna(cell)
                else:
                    assert cell == (str(value) if name in texts else value)


def test_csv_files_of_different_days_fit_together(tmp_path: pathlib.Path) -> None:
    inverters, *rest = (
        "--inverters 2 --three-phase 1 --optimizers 1 --seed 1",
        "--inverters 2 --three-phase 1 --optimizers 2 --seed 2 --date 2026-12-24",
    )
    for day, site in enumerate([inverters, *rest]):
        result = run("se2csv.py", "-h", "-p", day, stdin=day_lines(site), cwd=tmp_path)
        assert result.returncode == 0
    for device_type in ("inverters", "optimizers", "events"):
        first, second = ((tmp_path / f"{day}.{device_type}.csv") for day in (0, 1))
        assert first.read_text().splitlines()[0] == second.read_text().splitlines()[0]


@pytest.mark.parametrize("name", GRAPHITE)
def test_the_pipelines_to_graphite(name: str, tmp_path: pathlib.Path, server: Server) -> None:
    (tmp_path / "day.json").write_bytes(day_lines())
    options = f"-b semonitor -h 127.0.0.1 -p {server.port} --delay 0"
    pipeline(f" {name} {options} day.json", tmp_path)
    pipeline(f"cat | semonitor.py | tee day.json | {name} {options}", tmp_path, day_messages())
    first, second = server.received
    assert first == second and len(first) > 100_000


@pytest.mark.parametrize("name", CONVERTERS)
def test_old_lines_answers_and_damaged_lines(
    name: str, tmp_path: pathlib.Path, server: Server
) -> None:
    arguments: dict[str, list[object]] = {
        "se2state.py": ["-o", "state.json"],
        "se2csv.py": ["-h", "-p", "old"],
        "se2graphite.py": ["-h", "127.0.0.1", "-p", server.port, "--delay", 0],
        "pickle2graphite.py": ["-h", "127.0.0.1", "-p", server.port, "--delay", 0],
    }
    result = run(name, *arguments[name], stdin=ANSWER + DAMAGED + OLD_LINE, cwd=tmp_path)
    assert result.returncode == 0
    told = [text.split(" WARNING ")[1] for text in result.stderr.decode().splitlines()]
    assert [text.split(":")[0] for text in told] == [
        "line 2", "line 3", "line 4", "line 6", "4 of 6 lines skipped",
    ]  # fmt: skip
    if name == "se2state.py":
        state = json.loads((tmp_path / "state.json").read_bytes())
        inverter = state["inverters"]["7F104920"]
        assert [inverter[key] for key in ("Etot", "Pac", "Pmax")] == [None] * 3
    elif name == "se2csv.py":
        (row,) = csv.DictReader((tmp_path / "old.inverters.csv").read_text().splitlines())
        assert [row[key] for key in ("Etot", "Pac", "Pmax", "Vac")] == ["", "", "", "241.25"]
    elif name == "se2graphite.py":
        assert server.received[0].splitlines() == [
            b"inverters.7F104920.Eac 12.5 1446292800",
            b"inverters.7F104920.Temp 21.0 1446292800",
            b"inverters.7F104920.Vac 241.25 1446292800",
            b"optimizers.104A2B3C.Eday 1034.25 1446292802",
        ]
    else:
        assert ("inverters.7F104920.Eac", (1446292800, 12.5)) in pickle.loads(
            server.received[0][4:]
        )


@pytest.mark.parametrize("name", CONVERTERS)
def test_nothing_readable_is_exit_code_1(name: str, tmp_path: pathlib.Path) -> None:
    arguments = ["-o", "state.json"] if name == "se2state.py" else []
    for stdin, code in ((DAMAGED, 1), (b"", 0), (ANSWER, 0), (DAMAGED + ANSWER, 0)):
        assert run(name, *arguments, stdin=stdin, cwd=tmp_path).returncode == code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("se2state.py", 2, "se2state.py: the following arguments are required: -o"),
        ("se2state.py -o -", 2, "se2state.py: -o: the state needs a file"),
        ("se2state.py -o s.json none.json", 1, "se2state.py: none.json: No such file"),
        ("se2state.py -o s.json .", 1, "se2state.py: .: Is a directory"),
        ("se2state.py -o /dev/null", 1, "se2state.py: /dev/null: is no regular file"),
        ("se2state.py -o none/s.json", 1, "none/s.json: No such file"),
        ("se2state.py -o in.json in.json", 1, "se2state.py: in.json: is the same file as in.json"),
        ("se2csv.py none.json", 1, "se2csv.py: none.json: No such file"),
        ("se2csv.py -p none/x in.json", 1, "se2csv.py: none/x.inverters.csv: No such file"),
        ("se2csv.py -d ab in.json", 2, "se2csv.py: argument -d: 'ab' is not one character"),
        ("se2csv.py -d \" in.json", 2, "se2csv.py: argument -d: '\"' is not one character"),
        ("se2csv.py -d \n in.json", 2, "se2csv.py: argument -d: '\\n' is not one character"),
        ("se2csv.py -i in.json in.json", 1, "se2csv.py: in.json: is the same file as in.json"),
        ("se2csv.py inverters.csv", 1, "inverters.csv: is the same file as inverters.csv"),
        ("se2csv.py -i - in.json", 2, "se2csv.py: -i: needs a file"),
        ("se2csv.py -o /dev/stdout in.json", 1, "se2csv.py: /dev/stdout: is no regular file"),
        ("se2csv.py -i . in.json", 1, "se2csv.py: .: is no regular file"),
        ("se2csv.py --no-such-option", 2, "se2csv.py: unrecognized arguments"),
        ("se2graphite.py none.json", 1, "se2graphite.py: none.json: No such file"),
        ("se2graphite.py -h a..b in.json", 1, "se2graphite.py: a..b: unknown host"),
        ("se2graphite.py -h no.invalid --patience 0 in.json", 1, "se2graphite.py: no.invalid"),
        ("se2graphite.py -p 1 --patience 0 in.json", 1, "localhost:1: Connection refused"),
        ("se2graphite.py -p 0 in.json", 2, "argument -p: '0' is no port: 1 to 65535"),
        ("se2graphite.py -p 65536 in.json", 2, "argument -p: '65536' is no port"),
        ("se2graphite.py -p http in.json", 2, "argument -p: 'http' is no port"),
        ("se2graphite.py --delay -1 in.json", 2, "argument --delay: '-1' is no number of seconds"),
        ("se2graphite.py --delay nan in.json", 2, "argument --delay: 'nan' is no number"),
        ("se2graphite.py --delay soon in.json", 2, "argument --delay: 'soon' is no number"),
        ("pickle2graphite.py -p 1 --patience 0 in.json", 1, "localhost:1: Connection refused"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line(
    arguments: str, code: int, message: str, tmp_path: pathlib.Path
) -> None:
    for name in ("in.json", "inverters.csv"):
        (tmp_path / name).write_bytes(line(0))
    result = run(*arguments.split(" "), cwd=tmp_path)
    assert result.returncode == code
    told = [text for text in result.stderr.splitlines() if b" is deprecated: " not in text]
    assert len(told) == 1
    assert message in result.stderr.decode()


@pytest.mark.parametrize("name", CONVERTERS)
def test_what_does_the_work_is_loaded_where_ctrl_c_is_no_traceback(name: str) -> None:
    program = f"import sys, {name[:-3]}; print(*[n for n in sys.modules if n.startswith('se.')])"
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT)
    assert loaded.split() == [
        b"se.errors",
        b"se.log",
        b"se.cli",
        b"se.programs",
        b"se.programs.convert_options",
    ]


def test_the_deprecated_options_of_se2csv_still_work(tmp_path: pathlib.Path) -> None:
    result = run("se2csv.py", "-i", "inv.csv", "-o", "opt.csv", stdin=OLD_LINE, cwd=tmp_path)
    assert result.returncode == 0
    assert [text.split(" WARNING ")[1] for text in result.stderr.decode().splitlines()] == [
        "-i is deprecated: use -p",
        "-o is deprecated: use -p",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inv.csv", "opt.csv"]


def test_a_full_disk_is_one_clear_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "inverters.csv").symlink_to("/dev/full")
    result = run("se2csv.py", stdin=day_lines(), cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == b"se2csv.py: inverters.csv: No space left on device\n"


def test_a_tab_may_be_written_with_a_backslash(tmp_path: pathlib.Path) -> None:
    for delimiter in (r"\t", "\t"):
        run("se2csv.py", "-d", delimiter, "-h", "-p", "day", stdin=line(0), cwd=tmp_path)
        assert (tmp_path / "day.inverters.csv").read_text().startswith("Date\tTime\tID\t")


def momentary(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_bytes())["inverters"]["7F1"]["Pac"]
    except KeyError:
        return None


def test_the_state_follows_a_file_that_grows_and_is_rotated(tmp_path: pathlib.Path) -> None:
    day, state = tmp_path / "day.json", tmp_path / "solar.json"
    day.write_bytes(line(1) + line(2)[:20])
    with start("se2state.py", "-o", state, day, stderr=PIPE) as process:
        wait_until(lambda: state.exists() and momentary(state) == 1, "the first line")
        with open(day, "ab") as file:
            file.write(line(2)[20:])
        wait_until(lambda: momentary(state) == 2, "the rest of the second line")
        day.rename(tmp_path / "day.json.1")
        day.write_bytes(line(3) + b"noise\n")
        wait_until(lambda: momentary(state) == 3, "the new file")
        day.write_bytes(b"")
        time.sleep(0.2)
        day.write_bytes(line(4))
        wait_until(lambda: momentary(state) == 4, "the truncated file")
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr and b"WARNING line 2: no JSON" in process.stderr.read()


def test_the_state_of_a_live_pipe_is_up_to_date_and_ends_with_it(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "solar.json"
    with start("se2state.py", "-o", state, stdin=PIPE) as process:
        assert process.stdin
        for second in (1, 2):
            process.stdin.write(line(second))
            process.stdin.flush()
            wait_until(lambda now=second: state.exists() and momentary(state) == now, "the line")
        process.stdin.write(line(3).rstrip())
        process.stdin.close()
        assert process.wait(10) == 0
    assert momentary(state) == 3


def test_once_ends_with_the_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "day.json").write_bytes(day_lines())
    result = run("se2state.py", "--once", "-o", "solar.json", "day.json", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")


def test_ctrl_c_leaves_a_whole_state_and_is_no_success(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "solar.json"
    with start("se2state.py", "-o", state, stdin=PIPE, stderr=PIPE) as process:
        assert process.stdin and process.stderr
        process.stdin.write(line(1))
        process.stdin.flush()
        wait_until(lambda: state.exists() and momentary(state) == 1, "the line")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b""


@pytest.mark.parametrize("name", CONVERTERS)
def test_ctrl_c_loses_nothing_that_is_in_the_pipe(
    name: str, tmp_path: pathlib.Path, server: Server
) -> None:
    graphite = ["-h", "127.0.0.1", "-p", server.port, "--delay", 60]
    arguments = {"se2state.py": ["-o", "state.json"], "se2csv.py": []}.get(name, graphite)
    with start(name, *arguments, stdin=PIPE, cwd=tmp_path) as process:
        assert process.stdin
        process.stdin.write(line(1))
        process.stdin.flush()
        wait_until(lambda: list(tmp_path.iterdir()) or server.received, "the first line")
        process.send_signal(signal.SIGSTOP)
        process.stdin.write(b"".join(map(line, range(2, 500))))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 130
    if name == "se2state.py":
        assert momentary(tmp_path / "state.json") == 499
    elif name == "se2csv.py":
        assert (tmp_path / "inverters.csv").read_text().count("\n") == 499
    else:
        assert server.received[0].count(b"Pac") == 499


def test_a_reader_never_meets_half_a_state_while_data_come_in_bulk(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "solar.json"
    bulk = day_lines()
    seen: set[int] = set()
    with start("se2state.py", "-o", state, stdin=PIPE) as process:
        assert process.stdin
        feeder = threading.Thread(target=process.stdin.writelines, args=[[bulk] * 25])
        feeder.start()
        while feeder.is_alive() or len(seen) < 2:
            if state.exists():
                with open(state, "rb") as file:
                    seen.add(os.fstat(file.fileno()).st_ino)
                    content = file.read()
                assert content.endswith(b"}\n") and json.loads(content)
            time.sleep(0.01)
        process.stdin.close()
        assert process.wait(10) == 0
    assert not list(tmp_path.glob(".*"))


def test_a_killed_program_leaves_a_whole_state(tmp_path: pathlib.Path) -> None:
    day, state = tmp_path / "day.json", tmp_path / "solar.json"
    chance = random.Random(6)
    newest = 0
    for _ in range(12):
        with start("se2state.py", "-o", state, stdin=PIPE) as process:
            assert process.stdin
            wait_until(state.exists, "the state file")
            ends = time.monotonic() + chance.uniform(0.05, 0.5)
            while time.monotonic() < ends:
                newest += 1
                process.stdin.write(line(newest) * 50)
                process.stdin.flush()
                time.sleep(0.001)
            process.kill()
        assert set(json.loads(state.read_bytes())) == {"inverters", "optimizers"}
    day.write_bytes(line(newest))
    assert run("se2state.py", "--once", "-o", state, day).returncode == 0
    assert momentary(state) == newest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.json", "solar.json"]


def test_csv_and_graphite_follow_a_file_when_asked_to(
    tmp_path: pathlib.Path, server: Server
) -> None:
    day, table = tmp_path / "day.json", tmp_path / "inverters.csv"
    day.write_bytes(line(1))
    graphite = ["-f", "-h", "127.0.0.1", "-p", server.port, "--delay", 0, day]
    with start("se2csv.py", "-f", day, cwd=tmp_path) as to_csv:
        with start("se2graphite.py", *graphite) as to_graphite:
            wait_until(lambda: server.received and table.exists(), "the first line")
            with open(day, "ab") as file:
                file.write(line(2))
            wait_until(lambda: table.read_text().count("\n") == 2, "the second line in CSV")
            wait_until(lambda: server.received[0].count(b"Pac") == 2, "the second line sent")
            for process in (to_csv, to_graphite):
                process.terminate()
                assert process.wait(10) == 0


@pytest.mark.parametrize("name", GRAPHITE)
def test_a_service_ends_at_once_while_the_server_is_away(name: str) -> None:
    with start(name, "-p", 1, stdin=PIPE, stderr=PIPE) as process:
        assert process.stdin and process.stderr
        process.stdin.write(line(1))
        process.stdin.flush()
        wait_until_it_heeds_sigterm(process)
        time.sleep(0.5)
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr.read().endswith(b"localhost:1: ended before everything was sent\n")


def test_a_progress_bar_is_shown_on_a_terminal_alone(
    tmp_path: pathlib.Path, server: Server
) -> None:
    day = tmp_path / "day.json"
    day.write_bytes(line(1) * 100 + b"\n\n\n")
    options = ["-h", "127.0.0.1", "-p", server.port, "--delay", 0.005, day]
    assert run("se2graphite.py", *options).stderr == b""
    terminal, side = pty.openpty()
    with start("se2graphite.py", *options, stderr=side) as process:
        os.close(side)
        shown = b""
        try:
            while chunk := os.read(terminal, 1024):
                shown += chunk
        except OSError:  # the program has closed its side
            pass
        os.close(terminal)
        assert process.wait(10) == 0
    total = f"{day.stat().st_size:,}".encode()
    assert b"of " + total + b" bytes" in shown and b" s left" in shown
    assert shown.rstrip().endswith(total + b" of " + total + b" bytes 0 s left\x1b[K")


@pytest.mark.skipif(not shutil.which("mosquitto"), reason="needs the Debian package mosquitto")
def test_the_recipe_for_mqtt(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    here = f"-h 127.0.0.1 -p {port} -t solar -q 1"
    subscriber = ["mosquitto_sub", *here.split(), "-i", "test", "-c", "-W", "20"]
    (tmp_path / "day.json").write_bytes(day_lines())
    with subprocess.Popen(["mosquitto", "-p", str(port)], stderr=subprocess.DEVNULL) as broker:
        try:
            wait_until(lambda: subprocess.call([*subscriber, "-E"]) == 0, "mosquitto")
            pipeline(f"head -5 day.json | mosquitto_pub {here} -l", tmp_path)
            got = subprocess.check_output([*subscriber, "-C", "5"])
        finally:
            broker.terminate()
    assert got.splitlines() == day_lines().splitlines()[:5]


RECIPES = (ROOT / "README.md").read_text().split("## Recipes\n")[1].split("\n## ")[0]
needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="needs the Debian package jq")


@needs_jq
def test_the_recipes_with_jq_find_every_panel(tmp_path: pathlib.Path) -> None:
    (tmp_path / "all.json").write_bytes(day_lines())
    run("se2state.py", "--once", "-o", "solar.json", "all.json", cwd=tmp_path)
    commands = [text for text in RECIPES.splitlines() if text.startswith("jq ")]
    assert len(commands) == 4
    results = [
        subprocess.run(["sh", "-c", text], cwd=tmp_path, stdout=PIPE, check=True).stdout
        for text in commands
    ]
    panels = json.loads(results[0])
    assert len(panels) == 8 and min(panels.values()) > 0
    assert results[1].decode().startswith(min(panels, key=lambda name: panels[name]))
    assert max(json.loads(results[2]).values(), key=len) == panels
    assert json.loads(results[3]) >= 0


@needs_jq
def test_the_recipe_for_telegraf_writes_line_protocol(tmp_path: pathlib.Path) -> None:
    (tmp_path / "solar.jq").write_text(RECIPES.split("```jq\n")[1].split("```")[0])
    points = subprocess.run(
        ["jq", "-r", "-f", str(tmp_path / "solar.jq")], input=day_lines(), stdout=PIPE, check=True
    ).stdout.decode()
    form = r"(inverters|optimizers),ID=[0-9A-F]+ (\w+=[-+.\deE]+,?)+ \d{10}0{9}"
    assert points.count("\n") > 500
    assert all(re.fullmatch(form, point) for point in points.splitlines())

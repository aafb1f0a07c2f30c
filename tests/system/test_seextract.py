"""seextract.py and semonitor.py as processes: pipes, growing files, folders, exit codes."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.namespaces import House, inside
from tests.support.pcap_writer import PROD, Connection, Segment

ROOT = pathlib.Path(__file__).parents[2]
SEEXTRACT = [sys.executable, str(ROOT / "seextract.py")]
SEMONITOR = [sys.executable, str(ROOT / "semonitor.py"), "-d", "stderr"]
HERE = ["-s", PROD]  # no test asks a resolver
SENT = site.SENT
DATA = site.joined(SENT)
PATIENCE_S = 30


def run(*arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [*SEEXTRACT, *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, timeout=PATIENCE_S)


def decode(data: bytes, *arguments: str) -> bytes:
    """What semonitor.py makes of stdin; a complaint fails the test."""
    command = [*SEMONITOR, *arguments]
    done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def lines(output: bytes) -> list[str]:
    """JSON lines in an order of their own, whatever order they came in."""
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in output.splitlines())


def capture(segments: list[Segment]) -> bytes:
    return writer.pcap(writer.frames(segments))


SEGMENTS = site.conversation(Connection(), SENT)
PCAP = capture(SEGMENTS)


@pytest.fixture
def follower() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts seextract.py in the background, and ends it with the test."""
    started = []

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*SEEXTRACT, *HERE, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe
            pipe.close()


def wait_for(path: pathlib.Path, expected: bytes) -> None:
    """Until the file has these contents; fails when it has others, or has them not in time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = path.read_bytes() if path.exists() else b""
        if found == expected:
            return
        assert expected.startswith(found), "more than was expected"
        assert time.monotonic() < deadline, f"{len(found)} of {len(expected)} bytes"
        time.sleep(0.02)


def finish(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Exit code and stderr after a signal."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, errors.decode()


FORMS: dict[str, dict[str, object]] = {
    "pcap": {},
    "pcapng": {"ng": True},
    "VLAN": {"kind": "vlan"},
    "cooked": {"kind": "sll"},
    "IPv6": {"v6": True},
    "nanoseconds": {"fractions": 10**9},
    "big-endian": {"order": ">"},
    "gzip": {"packed": True},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_day_of_three_inverters_is_the_same_from_a_capture_as_from_a_recording(
    form: dict[str, object], tmp_path: pathlib.Path
) -> None:
    form = dict(form)
    v6 = bool(form.pop("v6", False))
    write = writer.pcapng if form.pop("ng", False) else writer.pcap
    kind = str(form.pop("kind", "ethernet"))
    packed = form.pop("packed", False)
    recording = b"".join(site.joined(sent) for sent in site.DAY.values())
    segments = writer.merge(site.busy_day(site.DAY, v6=v6), site.noise(2))
    answer = writer.dns_answer("prod.solaredge.com", [segments[0].dest], kind=kind)
    captured = [answer, *writer.frames(segments, kind)]
    data = write(captured, writer.LINKS[kind], **form)  # type: ignore[arg-type]
    path = tmp_path / "day.pcap"
    path.write_bytes(gzip.compress(data) if packed else data)
    extracted = run(path)
    assert (extracted.returncode, extracted.stderr) == (0, b"")
    assert len(extracted.stdout) == len(recording)
    key = tmp_path / f"{site.INVERTERS[-1]:x}.key"
    key.write_text(site.KEY.hex())
    expected = lines(decode(recording, "-k", str(key)))
    assert len(expected) > 90
    assert lines(decode(extracted.stdout, "-k", str(key))) == expected
    assert lines(decode(path.read_bytes(), "-k", str(key))) == expected


def test_stdout_a_new_file_and_an_appended_one_hold_the_messages(tmp_path: pathlib.Path) -> None:
    path, out = tmp_path / "day.pcap", tmp_path / "day.dat"
    path.write_bytes(PCAP)
    assert run(*HERE, path).stdout == DATA
    assert run(*HERE, given=PCAP).stdout == run(*HERE, "-", given=PCAP).stdout == DATA
    for arguments, expected in ((["-o"], DATA), (["-a", "-o"], DATA * 2), (["-o"], DATA)):
        done = run(*HERE, *arguments, out, path)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert out.read_bytes() == expected


def test_both_directions_come_if_asked_for() -> None:
    both = run(*HERE, "--both", given=PCAP).stdout
    assert len(both) == len(DATA) + len(site.joined(site.answers(SENT)))


def test_verbose_ends_with_a_summary() -> None:
    done = run(*HERE, "-v", given=PCAP)
    assert done.stdout == DATA
    log = done.stderr.decode()
    assert "192.168.1.20 port 4711 to 203.0.113.10 port 22222: messages\n" in log
    packets = f"{len(SEGMENTS)} packets, 1 connections with messages, 14 messages; "
    assert packets + "0 bytes were not captured; not used: from the server: " in log
    assert log.count("\n") == 2


@pytest.mark.parametrize(
    ("contents", "what"),
    [
        (b"", "is empty"),
        (b"Dear diary,\n", "is no packet capture (neither pcap nor pcapng)"),
        (PCAP[:-1], "ends in the middle of a packet"),
        (PCAP + bytes(100), "damaged capture: a packet of 0 bytes"),
        (gzip.compress(PCAP)[:-1], "ends in the middle of its gzip data"),
    ],
)
def test_bad_captures_give_one_line_and_keep_what_came_before(
    contents: bytes, what: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "day.pcap"
    path.write_bytes(contents)
    done = run(*HERE, path)
    assert done.returncode == 1
    assert done.stderr.decode() == f"seextract.py: {path}: {what}\n"
    assert done.stdout == (DATA if len(contents) > 100 else b"")
    assert run(*HERE, given=contents).stderr.decode() == f"seextract.py: stdin: {what}\n"


def test_what_cannot_be_read_is_said_before_anything_is_written(tmp_path: pathlib.Path) -> None:
    out, missing, folder = tmp_path / "day.dat", tmp_path / "day.pcap", tmp_path / "empty"
    folder.mkdir()
    out.write_bytes(b"precious")
    for path, what in (
        (missing, "No such file or directory"),
        (folder, "there is no packet capture in this folder"),
        (out, f"is the same file as {out}"),
        (tmp_path, f"is the same file as {out}"),
    ):
        done = run(*HERE, "-o", out, path)
        assert done.returncode == 1
        assert done.stderr.decode().endswith(f": {what}\n")
        assert done.stderr.count(b"\n") == 1
    assert out.read_bytes() == b"precious"


def test_wrong_command_lines_exit_with_2() -> None:
    for arguments in (["-s", ""], ["-s"], ["--nothing"], ["one", "two"]):
        done = run(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(b"seextract.py: ")
        assert done.stderr.count(b"\n") == 1


def test_the_help_shows_every_option_and_examples() -> None:
    shown = run("--help").stdout.decode()
    for word in ("-a", "--both", "-f", "-o outfile", "-s server", "-v", "examples:", "semonitor"):
        assert word in shown


def test_the_help_loads_nothing_that_works_on_captures() -> None:
    program = (
        "import sys, seextract\n"
        "late = {'dpkt', 'socket', 'se.capture.extractor', 'se.programs.captures'}\n"
        "try: seextract.main(['--help'])\n"
        "finally: assert not late & set(sys.modules)\n"
    )
    environment = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment)


def test_a_capture_without_messages_is_remarked_upon() -> None:
    done = run("-s", "203.0.113.99", given=PCAP)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.endswith(b"WARNING stdin: no messages to 203.0.113.99\n")


def test_without_a_network_the_name_leads_nowhere_and_everything_comes(
    tmp_path: pathlib.Path,
) -> None:
    unshare = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("needs a network namespace of its own")
    path = tmp_path / "day.pcap"
    path.write_bytes(PCAP)
    command = [*unshare, *SEEXTRACT, "-v", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (0, DATA)
    assert b"prod.solaredge.com leads nowhere: messages to every server count" in done.stderr


def test_a_folder_is_read_in_the_order_of_time_and_what_is_no_capture_named(
    tmp_path: pathlib.Path,
) -> None:
    thirds = [SEGMENTS[:11], SEGMENTS[11:30], SEGMENTS[30:]]
    for name, part in zip(("c.pcap", "a.pcapng", "b.cap"), thirds, strict=True):
        (tmp_path / name).write_bytes(capture(part))
    (tmp_path / "d.pcap").write_bytes(writer.pcap([]))
    (tmp_path / "notes.txt").write_text("Dear diary")
    (tmp_path / ".hidden").write_text("Dear diary")
    (tmp_path / "folder.pcap").mkdir()
    done = run(*HERE, tmp_path)
    assert (done.returncode, done.stdout) == (0, DATA)
    assert done.stderr.decode().count("\n") == 1
    assert f"{tmp_path}/notes.txt: is no packet capture" in done.stderr.decode()


def test_a_damaged_capture_in_a_folder_does_not_hide_the_others(tmp_path: pathlib.Path) -> None:
    half = len(SEGMENTS) // 2
    (tmp_path / "a.pcap").write_bytes(capture(SEGMENTS[:half]) + bytes(50))
    (tmp_path / "b.pcap").write_bytes(capture(SEGMENTS[half:]))
    (tmp_path / "c.pcap").write_bytes(PCAP[:30])
    done = run(*HERE, tmp_path)
    assert (done.returncode, done.stdout) == (1, DATA)
    log = done.stderr.decode().splitlines()
    assert "a.pcap: damaged capture" in log[0]
    assert "c.pcap: ends in the middle of a packet" in log[1]
    assert len(log) == 2


def test_unreadable_files_in_a_folder_do_not_hide_the_others(tmp_path: pathlib.Path) -> None:
    for name in ("a.pcap", "c.pcap"):
        (tmp_path / name).symlink_to("/proc/self/mem")  # not even root may read its beginning
    (tmp_path / "b.pcap").write_bytes(PCAP)
    done = run(*HERE, tmp_path)
    assert (done.returncode, done.stdout) == (1, DATA)
    log = done.stderr.decode().splitlines()
    assert [line.partition(str(tmp_path))[2] for line in log] == [
        "/a.pcap: Input/output error",
        "/c.pcap: Input/output error",
    ]


def test_messages_come_out_of_a_live_pipe_one_by_one(
    follower: Callable[..., subprocess.Popen[bytes]],
) -> None:
    process = follower()
    assert process.stdin
    assert process.stdout
    connection = Connection()
    process.stdin.write(capture(connection.open()))
    for message in SENT:
        raw = message.to_bytes()
        for frame in writer.frames(connection.send(raw)):
            process.stdin.write(writer.pcap([frame])[24:])
        process.stdin.flush()
        assert process.stdout.read(len(raw)) == raw
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0


def test_a_growing_file_is_followed_from_the_middle_of_a_packet(
    follower: Callable[..., subprocess.Popen[bytes]], tmp_path: pathlib.Path
) -> None:
    path, out = tmp_path / "day.pcap", tmp_path / "day.dat"
    path.touch()
    process = follower("-f", "-v", "-o", out, path)
    half = site.conversation(Connection(), SENT[:6])
    cut = len(capture(half[:-3])) - 7  # inside the last packet with data
    with path.open("ab", buffering=0) as file:
        for at in range(0, cut, 1000):
            file.write(PCAP[:cut][at : at + 1000])
        wait_for(out, run(*HERE, given=PCAP[:cut]).stdout)
        file.write(PCAP[cut:])
        wait_for(out, DATA)
    code, log = finish(process)
    assert code == 0
    assert "14 messages" in log


def test_a_followed_file_that_is_written_anew_is_read_anew(
    follower: Callable[..., subprocess.Popen[bytes]], tmp_path: pathlib.Path
) -> None:
    path, out = tmp_path / "day.pcap", tmp_path / "day.dat"
    path.write_bytes(PCAP[:-3])
    process = follower("-f", "-o", out, path)
    wait_for(out, DATA)
    again = Connection("192.168.1.21", time=writer.T0 + 3600)
    path.write_bytes(capture(site.conversation(again, SENT[:3])))
    wait_for(out, DATA + site.joined(SENT[:3]))
    code, log = finish(process, signal.SIGINT)
    assert code == 130
    assert log.count("\n") == 1
    assert "day.pcap: ends in the middle of a packet" in log


def test_a_followed_file_that_is_damaged_ends_the_program(
    follower: Callable[..., subprocess.Popen[bytes]], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "day.pcap"
    path.write_bytes(PCAP + bytes(20))
    process = follower("-f", path)
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (1, DATA)
    assert errors.decode() == f"seextract.py: {path}: damaged capture: a packet of 0 bytes\n"


def test_a_followed_folder_begins_with_the_newest_file_and_misses_nothing_at_the_borders(
    follower: Callable[..., subprocess.Popen[bytes]], tmp_path: pathlib.Path
) -> None:
    folder, out = tmp_path / "pcap", tmp_path / "day.dat"
    folder.mkdir()
    old = Connection("192.168.1.66", time=writer.T0 - 9999)
    (folder / "z-old.pcap").write_bytes(capture(site.conversation(old, SENT)))
    os.utime(folder / "z-old.pcap", (1, 1))
    parts = [SEGMENTS[at : at + 7] for at in range(0, len(SEGMENTS), 7)]
    assert len(parts) > 4
    (folder / "9.pcap").write_bytes(capture(parts[0]))
    process = follower("-f", "-o", out, folder)
    wait_for(out, run(*HERE, given=capture(parts[0])).stdout)
    for number, part in enumerate(parts[1:], start=1):
        data = capture(part)
        with (folder / f"{9 - number}.pcap").open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            if number % 2:
                time.sleep(0.6)  # the program looks at the folder in between
            file.write(data[len(data) // 2 :])
    wait_for(out, DATA)
    assert finish(process) == (0, "")


def test_a_followed_folder_may_be_empty_at_first_and_hold_other_files(
    follower: Callable[..., subprocess.Popen[bytes]], tmp_path: pathlib.Path
) -> None:
    folder, out = tmp_path / "pcap", tmp_path / "day.dat"
    folder.mkdir()
    process = follower("-f", "-o", out, folder)
    while not out.exists():
        time.sleep(0.02)
    (folder / "notes.txt").write_text("Dear diary")
    time.sleep(0.8)
    (folder / "a.pcap").write_bytes(PCAP)
    wait_for(out, DATA)
    code, log = finish(process)
    assert code == 0
    assert log.count("\n") == 1
    assert "notes.txt: is no packet capture" in log


def test_a_ring_of_files_is_followed_and_packed_or_renamed_files_are_not_read_again(
    follower: Callable[..., subprocess.Popen[bytes]], tmp_path: pathlib.Path
) -> None:
    folder, out = tmp_path / "pcap", tmp_path / "day.dat"
    folder.mkdir()
    expected = b""
    process = follower("-f", "-o", out, folder)
    for turn, name in enumerate(("ring0", "ring1", "ring0", "ring1")):
        connection = Connection(f"192.168.1.{turn}", time=writer.T0 + turn)
        sent = SENT[: 14 - turn]  # so that a file that is written anew is smaller
        (folder / name).write_bytes(capture(site.conversation(connection, sent)))
        expected += site.joined(sent)
        wait_for(out, expected)
    (folder / "ring0.gz").write_bytes(gzip.compress((folder / "ring0").read_bytes()))
    (folder / "ring1").rename(folder / "other")
    time.sleep(1.2)
    (folder / "last").write_bytes(capture(site.conversation(Connection("192.168.1.9"), SENT[:1])))
    wait_for(out, expected + site.joined(SENT[:1]))
    assert finish(process) == (0, "")


def test_a_reader_that_goes_away_ends_the_program() -> None:
    process = subprocess.Popen(
        [*SEEXTRACT, *HERE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.close()
    _, errors = process.communicate(PCAP, timeout=PATIENCE_S)
    assert (process.returncode, errors) == (141, b"")


def test_semonitor_decodes_captures_and_hex_dumps_directly(tmp_path: pathlib.Path) -> None:
    expected = decode(DATA)
    assert len(expected.splitlines()) > 5
    hex_lines = [DATA[at : at + 16].hex(" ") for at in range(0, len(DATA), 16)]
    log = "".join(f"2026-01-01 12:00:00,000 INFO data: {line}\n" for line in hex_lines)
    for given in (PCAP, gzip.compress(PCAP), DATA.hex().encode(), log.encode()):
        assert decode(given) == expected
        path = tmp_path / "input"
        path.write_bytes(given)
        assert decode(b"", str(path)) == expected


def test_semonitor_says_that_a_capture_holds_no_message() -> None:
    noise = list(site.noise(1))
    packed = gzip.compress(capture(noise))
    for other, packets in (
        (writer.pcap([]), 0),
        (capture(noise), len(noise)),
        (packed, len(noise)),
    ):
        done = subprocess.run(SEMONITOR, input=other, capture_output=True, timeout=PATIENCE_S)
        assert (done.returncode, done.stdout) == (0, b"")
        told = f"semonitor.py: stdin: no SolarEdge message in {packets} packets\n"
        assert done.stderr.decode() == told


def test_semonitor_reads_the_log_that_it_wrote() -> None:
    command = [*SEMONITOR, "-vvvv"]
    wrote = subprocess.run(command, input=DATA, capture_output=True, timeout=PATIENCE_S)
    assert decode(wrote.stderr) == wrote.stdout


def test_semonitor_says_what_is_wrong_with_a_capture_and_keeps_what_came_before() -> None:
    done = subprocess.run(SEMONITOR, input=PCAP[:-1], capture_output=True, timeout=PATIENCE_S)
    assert done.stdout == decode(DATA)
    assert done.returncode == 1
    assert done.stderr == b"semonitor.py: stdin: ends in the middle of a packet\n"


def test_semonitor_follows_a_growing_capture(tmp_path: pathlib.Path) -> None:
    path, out = tmp_path / "day.pcap", tmp_path / "day.json"
    path.write_bytes(PCAP[:5000])
    command = [*SEMONITOR, "-f", "-o", str(out), str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        with path.open("ab") as file:
            file.write(PCAP[5000:-5])
        wait_for(out, decode(DATA))
        assert finish(process) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_semonitor_loads_dpkt_for_captures_alone(tmp_path: pathlib.Path) -> None:
    program = (
        "import sys, semonitor; semonitor.main(sys.argv[1:]); "
        "print(sorted({'dpkt', 'serial', 'netifaces'} & set(sys.modules)), file=sys.stderr)"
    )
    for contents, loaded in (
        (DATA, b"[]\n"),
        (DATA.hex().encode(), b"[]\n"),
        (PCAP, b"['dpkt']\n"),
    ):
        path = tmp_path / "input"
        path.write_bytes(contents)
        command = [sys.executable, "-c", program, "-o", str(tmp_path / "out"), str(path)]
        done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=PATIENCE_S)
        assert done.stderr == loaded


def test_a_live_capture_of_a_real_connection_becomes_json_as_it_happens(house: House) -> None:
    if not shutil.which("tcpdump"):
        pytest.skip("tcpdump is not installed")
    parts = [
        "exec tcpdump -i lo --immediate-mode -U -w - tcp",
        [*SEEXTRACT, "-s", "127.0.0.1"],
        SEMONITOR,
    ]
    line = " | ".join(part if isinstance(part, str) else shlex.join(part) for part in parts)
    live = subprocess.Popen(
        ["ip", "netns", "exec", house.namespace, "sh", "-c", line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert live.stdout
    assert live.stderr
    try:
        assert b"listening on lo" in live.stderr.readline()
        with inside(house.namespace):
            server = socket.create_server(("127.0.0.1", 22222))
            inverter = socket.create_connection(server.getsockname())
        with server, inverter, server.accept()[0] as accepted:
            for message, answer in zip(SENT, site.answers(SENT), strict=True):
                inverter.sendall(message.to_bytes())
                accepted.sendall(answer.to_bytes())
                # the lines come out before anything else happens
                for expected in decode(message.to_bytes()).splitlines(keepends=True):
                    assert live.stdout.readline() == expected
    finally:
        house.kill_programs()
        live.communicate(timeout=PATIENCE_S)


def test_tcpdump_writes_what_is_read(tmp_path: pathlib.Path) -> None:
    """A capture that went through another program's reader and writer is the same."""
    if not shutil.which("tcpdump"):
        pytest.skip("tcpdump is not installed")
    path, copy = tmp_path / "day.pcap", tmp_path / "copy.pcap"
    path.write_bytes(writer.pcapng(writer.frames(SEGMENTS)))
    command = ["tcpdump", "-r", str(path), "-w", str(copy), "tcp"]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    assert run(*HERE, copy).stdout == DATA

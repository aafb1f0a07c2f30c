"""tshark has its own dissector for this protocol: both must see the same in the same capture."""

from __future__ import annotations

import calendar
import json
import pathlib
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from se.wire.functions import Function
from se.wire.message import Message
from tests.support import pcap_writer as writer
from tests.support import processes, site
from tests.support.pcap_writer import Connection

FIELD = "solaredge_solaredge_"
RECORD_HEADER = struct.Struct("<HLH")
INVERTER, OPTIMIZER, COMPACT, EVENT = 0x0010, 0x0000, 0x0080, 0x0300
# What tshark calls our fields; it tells inverters' and optimizers' times as durations.
NAMES = {
    "inverters": {
        "Temp": "temperature",
        "Eday": "energy_day",
        "Eac": "energy_interval",
        "Vac": "ac_voltage",
        "Iac": "ac_current",
        "Freq": "ac_frequency",
        "Vdc": "dc_voltage",
        "Etot": "energy_total",
        "Pmax": "power_max",
        "Pac": "ac_power",
        "Uptime": "uptime",
        "Interval": "interval",
    },
    "optimizers": {
        "Vmod": "panel_dc_voltage",
        "Vopt": "optimizer_dc_voltage",
        "Temp": "temperature",
        "Uptime": "uptime",
        "Imod": "panel_dc_current",
        "Eday": "energy_day",
    },
}


@pytest.fixture
def capture(tmp_path: pathlib.Path) -> pathlib.Path:
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    return tmp_path / "day.pcap"


def write(path: pathlib.Path, sent: list[Message]) -> None:
    """The messages with one to a segment: tshark does not put the parts of one together."""
    connection = Connection()
    segments = connection.open() + connection.send(*(message.to_bytes() for message in sent))
    path.write_bytes(writer.pcap(writer.frames(segments)))


def dissect(path: pathlib.Path) -> list[dict[str, Any]]:
    """What tshark sees: for each message, its fields."""
    command = f"tshark -r {path} -d tcp.port==22222,solaredge -Y solaredge -T ek".split()
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    packets = map(json.loads, printed.splitlines())
    layers = [packet["layers"]["solaredge"] for packet in packets if "layers" in packet]
    return [{name.removeprefix(FIELD): layer[name] for name in layer} for layer in layers]


def extracted(path: pathlib.Path) -> list[Message]:
    raw = processes.run("seextract.py", "-s", writer.PROD, path).stdout
    found = []
    while raw:
        size = 22 + int.from_bytes(raw[4:6], "little")
        found.append(Message.parse(raw[:size]))
        raw = raw[size:]
    return found


def test_tshark_counts_the_same_messages_and_finds_their_checksums_right(
    capture: pathlib.Path,
) -> None:
    for inverter, sent in site.DAY.items():
        write(capture, sent)
        dissected = dissect(capture)
        ours = [(m.sequence, m.source, m.dest, m.function, len(m.payload)) for m in sent]
        names = ("sequence_number", "source_address", "destination_address", "command", "length")
        assert [tuple(int(each[name], 0) for name in names) for each in dissected] == ours
        assert extracted(capture) == sent
        # it looks at no checksum where there is no payload, nor in what is encrypted
        checked = [each for each in dissected if "crc_status" in each]
        assert {each["crc_status"] for each in checked} == {"1"}
        assert len(checked) > 20 or inverter == site.INVERTERS[-1]


def single_records(sent: list[Message]) -> Iterator[Message]:
    """A message for each record: tshark goes astray behind longer inverter records."""
    for message in sent:
        payload = message.payload
        while message.function == Function.SERVER_POST_DATA and payload:
            size = RECORD_HEADER.size + RECORD_HEADER.unpack_from(payload)[2]
            yield message._replace(payload=payload[:size])
            payload = payload[size:]


def seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


def test_tshark_reads_the_same_values(capture: pathlib.Path) -> None:
    write(capture, list(single_records(site.DAY[site.INVERTERS[0]])))
    decoded = processes.run("semonitor.py", capture).stdout.splitlines()
    compared = dict.fromkeys((INVERTER, OPTIMIZER, COMPACT, EVENT), 0)
    for line, theirs in zip(map(json.loads, decoded), dissect(capture), strict=True):
        number = int(theirs["post_device_type"], 0)
        compared[number] += 1
        for group in ("inverters", "optimizers", "events"):
            for ours in line[group].values():
                assert int(ours["ID"], 16) == int(theirs["post_device_id"], 0) & 0xFF7FFFFF
                compare(number, group, ours, theirs)
    assert min(compared.values()) >= 4


def compare(number: int, group: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    if group == "events":
        prefix = "post_device_event_"
        assert ours["dateTime"] == seconds(theirs[prefix + "timestamp"])
        assert ours["Type"] == int(theirs[prefix + "type"], 0)
        assert calendar.timegm(time.strptime(ours["Event1"])) == seconds(theirs[prefix + "start"])
        if ours["Type"]:
            assert ours["Event2"] == int(theirs[prefix + "timezone_offset"])
        return
    prefix = "post_device_" + ("singlephase_inverter_", "optimizer_")[group == "optimizers"]
    assert ours["dateTime"] == seconds(theirs[prefix + "timestamp"])
    for name, called in NAMES[group].items():
        if number == COMPACT:
            if name == "Eday":  # tshark 4.0 reads it one byte too far, half from the temperature
                continue
            called = {"Uptime": "uptime_short", "Imod": "optimizer_dc_current"}.get(name, called)
        assert ours[name] == pytest.approx(float(theirs[prefix + called]), rel=1e-5), name

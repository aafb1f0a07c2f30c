"""semonitor.py on files, from within."""

from __future__ import annotations

import pathlib

import pytest

from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.checksums import count_checksums
from tests.support.processes import run


def capture_of(data: bytes) -> bytes:
    connection = writer.Connection()
    return writer.pcap(writer.frames(connection.open() + connection.send(data)))


def test_every_message_is_framed_once(tmp_path: pathlib.Path) -> None:
    raw, capture, output = (tmp_path / name for name in ("day.dat", "day.pcap", "day.json"))
    raw.write_bytes(site.joined(site.SENT))
    capture.write_bytes(capture_of(site.joined(site.SENT)))
    lines = []
    for path in (raw, capture):
        assert count_checksums("semonitor", "-o", output, path) == len(site.SENT)
        lines.append(output.read_bytes())
    assert lines[0] == lines[1] != b""


@pytest.mark.parametrize("keys", [(), ("-k", "keys")])
def test_what_is_recorded_of_a_capture_are_the_messages_as_they_were_sent(
    tmp_path: pathlib.Path, keys: tuple[str, ...]
) -> None:
    encrypts = site.INVERTERS[-1]
    (tmp_path / "keys").write_text(f"{encrypts:X} {site.KEY.hex()}\n")
    data = site.joined(site.DAY[encrypts][:6] + site.SENT)
    lines = []
    for number, stdin in enumerate((data, capture_of(data))):
        result = run("semonitor.py", *keys, "-r", str(number), stdin=stdin, cwd=tmp_path)
        assert (tmp_path / str(number)).read_bytes() == data
        lines.append(result.stdout)
    assert lines[0] == lines[1] != b""

"""semonitor.py on files, from within."""

from __future__ import annotations

import pathlib

from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.checksums import count_checksums


def test_every_message_is_framed_once(tmp_path: pathlib.Path) -> None:
    raw, capture, output = (tmp_path / name for name in ("day.dat", "day.pcap", "day.json"))
    raw.write_bytes(site.joined(site.SENT))
    connection = writer.Connection()
    segments = connection.open() + connection.send(site.joined(site.SENT))
    capture.write_bytes(writer.pcap(writer.frames(segments)))
    lines = []
    for path in (raw, capture):
        assert count_checksums("semonitor", "-o", output, path) == len(site.SENT)
        lines.append(output.read_bytes())
    assert lines[0] == lines[1] != b""

"""seextract.py from within: what it computes, and whom it asks."""

from __future__ import annotations

import pathlib

from se.programs.extract import resolve
from tests.support import pcap_writer as writer
from tests.support import site
from tests.support.checksums import count_checksums


def test_every_message_of_a_capture_is_framed_once(tmp_path: pathlib.Path) -> None:
    connection = writer.Connection()
    segments = connection.open() + connection.send(site.joined(site.SENT))
    capture, output = tmp_path / "day.pcap", tmp_path / "day.dat"
    capture.write_bytes(writer.pcap(writer.frames(segments)))
    arguments = ("-s", writer.PROD, "-o", output, capture)
    assert count_checksums("seextract", *arguments) == len(site.SENT)
    assert output.read_bytes() == site.joined(site.SENT)


def test_the_resolver_knows_this_machine_and_nothing_that_cannot_be() -> None:
    assert bytes([127, 0, 0, 1]) in resolve("localhost")
    assert resolve("label-too-long" * 9) == set()

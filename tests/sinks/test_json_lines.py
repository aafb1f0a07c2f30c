"""JSON lines."""

import json
import pathlib

from se.files.write import open_output
from se.sinks.json_lines import JsonLines


def test_lines_are_written_whole_at_each_flush(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.json"
    with open_output(str(path)) as output:
        sink = JsonLines(output)
        sink.write({"a": 1})
        sink.write({"b": [None, "é"]})
        assert path.read_bytes() == b""
        sink.flush()
        assert path.read_text() == '{"a":1}\n{"b":[null,"é"]}\n'
        sink.flush()
    assert path.read_text().count("\n") == 2


def test_what_is_no_number_is_null(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.json"
    with open_output(str(path)) as output:
        sink = JsonLines(output)
        sink.write({"values": [float("nan"), float("inf"), -float("inf")]})
        sink.flush()
    assert json.loads(path.read_text()) == {"values": [None, None, None]}

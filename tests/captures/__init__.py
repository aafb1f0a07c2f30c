"""The real captures, for tests."""

from __future__ import annotations

import json
import pathlib
from typing import Any

FOLDER = pathlib.Path(__file__).parent
TRIPLE_KEY = bytes.fromhex("e1992523f4ddbb47d5336f6f177e3278")  # of inverter 7F104920


def load(name: str) -> list[dict[str, Any]]:
    """The lines of a capture file."""
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


MESSAGES = load("messages.jsonl")
RECORDS = load("records.jsonl")
GOOD = [bytes.fromhex(entry["hex"]) for entry in MESSAGES if entry["crc_ok"]]
NOISY = [bytes.fromhex(entry["hex"]) for entry in MESSAGES if not entry["crc_ok"]]
SET_KEY = next(raw for raw in GOOD if raw[18:20] == b"\x03\x05")
ENCRYPTED = next(raw for raw in GOOD if raw[18:20] == b"\x3d\x00")
ENCRYPTED_INNER = bytes.fromhex("123456790000fffffa02feffffff2049107f8000dfeb")

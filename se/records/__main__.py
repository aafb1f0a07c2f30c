"""Print the record tables as documentation: `python3 -m se.records`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from se.records import RECORD_TYPES
from se.records.table import Table


def describe(table: Table) -> Iterator[str]:
    """One record type in Markdown, line by line."""
    yield f"### 0x{table.number:04x} {table.title}, {table.size} bytes"
    yield ""
    yield f"JSON: `{table.group}`"
    yield ""
    yield "| offset | field | type | unit | meaning |"
    yield "|---|---|---|---|---|"
    position = 0
    for field in table.fields:
        byte, bit = divmod(position, 8)
        offset = f"{byte}" + (f" bit {bit}" if bit else "")
        cells = (offset, field.name, field.kind.label, field.unit, field.meaning)
        yield "| " + " | ".join(cells) + " |"
        position += field.kind.bits


def document() -> str:
    """All tables in Markdown, as they stand in se/README.md."""
    parts = ("\n".join(describe(table)) for table in RECORD_TYPES.values())
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())

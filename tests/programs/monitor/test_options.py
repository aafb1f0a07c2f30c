"""Which source takes which options."""

from __future__ import annotations

import pytest

import semonitor
from se.errors import UsageError
from se.programs.monitor.options import (
    FLAGS,
    FileOptions,
    NetworkOptions,
    Options,
    SerialOptions,
    SourceOptions,
    source_options,
)
from se.wire.commands import Command

VALUES = {"-b": "0", "-c": "33", "-n": "eth1", "-p": "80", "-s": "1", "--user": "nobody"}


def taken(line: str) -> SourceOptions:
    """What the source of a command line takes of it."""
    arguments = semonitor.parser().parse_args(line.split())
    return source_options(Options(**vars(arguments)))


def test_each_source_is_found_and_gets_what_it_takes() -> None:
    assert taken("") == FileOptions(None, follow=False)
    assert taken("-f day.dat") == FileOptions("day.dat", follow=True)
    version = Command("33", 0x33, (), b"")
    assert taken("-t 2 -x -c 33 -s 7f101234 port") == SerialOptions(
        "port",
        is_bus=False,
        baud=115200,
        strict=True,
        master=False,
        slaves=[0x7F101234],
        commands=[version],
    )
    bus = SerialOptions(
        "port", is_bus=True, baud=9600, strict=False, master=True, slaves=[1, 2], commands=[]
    )
    assert taken("-t 4 -b 9600 -m -s 1,2 port") == bus
    nobody = NetworkOptions(None, False, ports=[22222], user=None, slaves=[], commands=[])
    assert taken("-t n") == nobody
    assert taken("-n eth1 --any-mac --user me -p 1,2 -s 1 -c 33") == NetworkOptions(
        "eth1", any_mac=True, ports=[1, 2], user="me", slaves=[1], commands=[version]
    )


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("day.dat", "-b -c -m -p -s --any-mac --user"),
        ("-t 2 port", "-f -n -p --any-mac --user"),
        ("-t 4 port", "-f -n -p --any-mac --user"),
        ("-t n", "-b -f -m"),
    ],
)
def test_a_source_refuses_what_it_does_not_take(source: str, refused: str) -> None:
    for flag in refused.split():
        with pytest.raises(UsageError, match=f"^{flag} is (not )?for "):
            taken(f"{flag} {VALUES.get(flag, '')} {source}")


def test_every_field_is_refused_elsewhere_or_for_all_sources() -> None:
    sources = (FileOptions, SerialOptions, NetworkOptions)
    fields = {field for source in sources for field in source._fields}
    assert fields - set(FLAGS) == {"datasource", "is_bus", "strict"}

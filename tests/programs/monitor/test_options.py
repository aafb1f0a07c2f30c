"""Which source takes which options, and the grammar of -c."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import semonitor
from se.errors import UsageError
from se.programs.monitor.options import (
    FLAGS,
    FileOptions,
    NetworkOptions,
    Options,
    SerialOptions,
    SourceOptions,
    parse_commands,
    source_options,
)
from se.wire.commands import Command
from se.wire.functions import Function

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


def test_the_examples_of_the_document_are_understood() -> None:
    assert parse_commands("0012,H0329") == [
        Command("0012,H0329", Function.PARAMS_GET_SINGLE, (0x329,), bytes.fromhex("2903"))
    ]
    assert parse_commands("0011,H329,L0/0030,H01f4,L0") == [
        Command("0011,H329,L0", 0x11, (0x329, 0), bytes.fromhex("290300000000")),
        Command("0030,H01f4,L0", Function.MISC_RESET, (0x1F4, 0), bytes.fromhex("f40100000000")),
    ]
    assert [command.parameters for command in parse_commands("12,H239/12,H23a")] == [
        (0x239,),
        (0x23A,),
    ]


@given(
    code=st.integers(0, 0xFFFF),
    parameters=st.lists(
        st.sampled_from([("B", 1), ("h", 2), ("l", 4), ("b", 1), ("H", 2), ("L", 4)]).flatmap(
            lambda kind: st.tuples(st.just(kind), st.integers(0, 256 ** kind[1] - 1))
        )
    ),
    form=st.sampled_from(["{:x}", "{:X}", "{:08x}"]),
)
def test_every_command_is_what_it_says(
    code: int, parameters: list[tuple[tuple[str, int], int]], form: str
) -> None:
    parts = [letter + form.format(value) for (letter, _), value in parameters]
    (command,) = parse_commands(",".join([form.format(code), *parts]))
    assert command.function == code
    assert command.parameters == tuple(value for _, value in parameters)
    assert command.payload == b"".join(
        value.to_bytes(size, "little") for (_, size), value in parameters
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "-c: there is an empty command"),
        ("12/", "-c: there is an empty command"),
        ("12//30", "-c: there is an empty command"),
        ("zz,H1", "-c: zz,H1: 'zz' is no function code"),
        ("0x12,H1", "-c: 0x12,H1: '0x12' is no function code"),
        ("10000", "-c: 10000: '10000' is no function code"),
        (",H1", "-c: ,H1: '' is no function code"),
        ("12/ 30", "-c:  30: ' 30' is no function code"),
        ("12,329", "-c: 12,329: parameter '329' does not begin with B, H or L"),
        ("30/12,", "-c: 12,: parameter '' does not begin with B, H or L"),
        ("12,H", "-c: 12,H: parameter 'H' is no hex number behind its letter"),
        ("12,H0x1", "-c: 12,H0x1: parameter 'H0x1' is no hex number"),
        ("12,H-1", "-c: 12,H-1: parameter 'H-1' is no hex number"),
        ("12,H1_0", "-c: 12,H1_0: parameter 'H1_0' is no hex number"),
        ("12,Hg", "-c: 12,Hg: parameter 'Hg' is no hex number"),
        ("12,B100", "-c: 12,B100: parameter 'B100' needs more than 8 bits"),
        ("12,H10000", "-c: 12,H10000: parameter 'H10000' needs more than 16 bits"),
        ("12,L100000000", "-c: 12,L100000000: parameter 'L100000000' needs more than 32 bits"),
    ],
)
def test_a_wrong_part_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_commands(text)
    assert str(error.value).startswith(complaint)


def test_parameters_that_fit_no_message_are_refused() -> None:
    assert len(parse_commands("12" + ",L0" * 16383 + ",B0" * 3)[0].payload) == 65535
    with pytest.raises(UsageError, match="-c: the parameters of 12 take more than 65535 bytes"):
        parse_commands("12" + ",L0" * 16384)

"""sekey.py: from the answers of an inverter to its key file."""

import itertools
import json
import os
import pathlib
import stat
from typing import Any

import pytest

from se.programs.key import extract_key
from tests.captures import TRIPLE_KEY
from tests.support.processes import run

PARAMETERS = (0x0239, 0x023A, 0x023B, 0x023C)
VALUES = [int.from_bytes(TRIPLE_KEY[start : start + 4], "little") for start in (0, 4, 8, 12)]


def answer(value: int, parameter: int | None = None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "command": 18,
        "response": 144,
        "sequence": 2047,
        "data": {"value": value, "type": 0},
    }
    return line if parameter is None else line | {"parameters": [parameter]}


def refusal(parameter: int) -> dict[str, Any]:
    return {"command": 18, "response": 129, "sequence": 9, "data": {}, "parameters": [parameter]}


def lines(*answers: dict[str, Any]) -> list[bytes]:
    return [json.dumps(line).encode() + b"\n" for line in answers]


NAMED = [answer(value, parameter) for value, parameter in zip(VALUES, PARAMETERS, strict=True)]
UNNAMED = [answer(value) for value in VALUES]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_answers_that_name_their_parameter_come_in_any_order(order: tuple[int, ...]) -> None:
    assert extract_key(lines(*(NAMED[index] for index in order))) == TRIPLE_KEY


def test_answers_without_a_name_count_in_the_order_of_the_question() -> None:
    assert extract_key(lines(*UNNAMED)) == TRIPLE_KEY
    assert extract_key(lines(*reversed(UNNAMED))) != TRIPLE_KEY


def test_named_answers_count_more_than_others() -> None:
    assert extract_key(lines(answer(7), *NAMED)) == TRIPLE_KEY


def test_other_lines_are_passed_over() -> None:
    extra = [
        b'{"inverters": {"7F101234": {"Eday": 1}}, "optimizers": {}, "events": {}}\n',
        b'{"command": 17, "response": 128, "sequence": 1, "data": {}, "parameters": [569, 0]}\n',
        b'{"command": 18, "response": 144, "data": {"value": 1}, "parameters": [809]}\n',
        b'{"command": 18, "response": 144, "data": {"value": 1}, "parameters": "odd"}\n',
        b"2026-06-21 12:00:00 INFO reading /dev/ttyUSB0\n",
        b"[18]\n",
        b"\n",
        b"\xff\xfe\n",
    ]
    mixed = [line for pair in zip(extra[:4], lines(*NAMED), strict=True) for line in pair]
    assert extract_key(mixed + extra[4:] + [b'{"command": 18, "resp']) == TRIPLE_KEY


def test_the_same_answer_twice_is_one() -> None:
    assert extract_key(lines(*NAMED, *NAMED)) == TRIPLE_KEY


def test_an_answer_after_a_refusal_counts_and_the_other_way_round() -> None:
    assert extract_key(lines(refusal(0x023A), *NAMED, refusal(0x0239))) == TRIPLE_KEY


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_missing_parameter_is_named(parameter: int) -> None:
    rest = [line for line in NAMED if line["parameters"] != [parameter]]
    with pytest.raises(ValueError, match=f"no answer for parameter 0x{parameter:04x}"):
        extract_key(lines(*rest))


def test_a_refused_parameter_is_named() -> None:
    with pytest.raises(ValueError, match="the inverter refused parameter 0x023b"):
        extract_key(lines(NAMED[0], NAMED[1], refusal(0x023B), NAMED[3]))


@pytest.mark.parametrize("data", [None, {}, {"value": "1"}, {"value": True}, {"value": 1 << 32}])
def test_an_answer_without_a_u32_is_no_value(data: object) -> None:
    with pytest.raises(ValueError, match="refused parameter 0x023c"):
        extract_key(lines(*NAMED[:3], NAMED[3] | {"data": data}))


def test_two_inverters_in_one_file_are_an_error_without_their_values() -> None:
    with pytest.raises(ValueError, match="different answers for parameter 0x0239") as error:
        extract_key(lines(*NAMED, answer(5, 0x0239)))
    assert str(VALUES[0]) not in str(error.value)


@pytest.mark.parametrize("count", [1, 3, 5, 8])
def test_another_number_of_unnamed_answers_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match=f"^{count} answers that do not name"):
        extract_key(lines(*(UNNAMED + UNNAMED)[:count]))


def test_the_key_goes_to_stdout() -> None:
    done = run("sekey.py", stdin=b"".join(lines(*NAMED)))
    assert (done.stdout, done.stderr, done.returncode) == (
        TRIPLE_KEY.hex().encode() + b"\n",
        b"",
        0,
    )


def test_the_key_file_is_for_its_owner_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "answers.json").write_bytes(b"".join(lines(*NAMED)))
    old = tmp_path / "old.key"
    old.write_text("old")
    old.chmod(0o644)
    for name in ("new.key", "old.key"):
        done = run("sekey.py", "-o", name, "answers.json", cwd=tmp_path)
        assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)
        assert (tmp_path / name).read_text() == TRIPLE_KEY.hex() + "\n"
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600


def test_without_a_key_there_is_no_file_and_no_value_is_shown(tmp_path: pathlib.Path) -> None:
    old = tmp_path / "old.key"
    old.write_text("old")
    for target in (old, tmp_path / "new.key"):
        done = run("sekey.py", "-o", target, stdin=b"".join(lines(*NAMED[:3])))
        assert done.returncode == 1
        assert done.stderr == b"sekey.py: stdin: there is no answer for parameter 0x023c\n"
    assert old.read_text() == "old"
    assert os.listdir(tmp_path) == ["old.key"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nowhere.json",), "sekey.py: nowhere.json: No such file or directory\n"),
        (("-o", "/dev/null"), "sekey.py: /dev/null: is no regular file\n"),
        (("-o", "nowhere/x.key"), "nowhere/x.key: No such file or directory\n"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    arguments: tuple[str, ...], text: str, tmp_path: pathlib.Path
) -> None:
    done = run("sekey.py", *arguments, stdin=b"".join(lines(*NAMED)), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().endswith(text)
    assert os.listdir(tmp_path) == []


def test_help_shows_the_options() -> None:
    done = run("sekey.py", "--help")
    assert done.returncode == 0
    assert b"-o keyFile" in done.stdout

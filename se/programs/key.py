"""sekey.py: the key of an inverter from its answers to four commands.

The answers are lines as `semonitor.py -c 12,H239/12,H23a/12,H23b/12,H23c` writes them. They name
their parameters; those of older programs do not, and then their order counts. All other lines are
passed over. No message ever shows a part of the key.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from se.errors import InputError
from se.files.names import STDOUT, display_name, refuse_same_file
from se.files.read import open_input
from se.files.write import open_output, replace_file
from se.wire.functions import Function
from se.wire.keyring import KEY_FORMAT, KEY_PARAMETERS


class Options(NamedTuple):
    """The command line of sekey.py."""

    input: str | None  # - and None are stdin
    output: str | None  # - and None are stdout


def run(options: Options) -> int:
    """Do what sekey.py was called for; returns the exit code."""
    name = display_name(options.input)
    refuse_same_file(options.input, options.output)
    try:
        with io.BufferedReader(open_input(options.input)) as lines:
            key = extract_key(lines)
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    line = f"{key.hex()}\n".encode()
    if options.output in (None, STDOUT):
        with open_output(None) as output:
            output.write(line)
    else:
        with replace_file(options.output, mode=0o600) as file:
            file.write(line)
    return 0


def extract_key(lines: Iterable[bytes]) -> bytes:
    """The 16 bytes of the key. Raises ValueError, naming the parameter that is missing."""
    named: dict[int, int | None] = {}
    unnamed: list[int | None] = []
    for answer in _answers(lines):
        value = _value(answer)
        parameters = answer.get("parameters")
        if parameters is None:
            unnamed.append(value)
        for parameter in KEY_PARAMETERS:
            if parameters == [parameter]:
                _add(named, parameter, value)
    if unnamed and not named:
        if len(unnamed) != len(KEY_PARAMETERS):
            raise ValueError(
                f"{len(unnamed)} answers that do not name their parameter: expected the"
                f" {len(KEY_PARAMETERS)} to 12,H239/12,H23a/12,H23b/12,H23c in this order"
            )
        named = dict(zip(KEY_PARAMETERS, unnamed, strict=True))
    return KEY_FORMAT.pack(*(_present(named, parameter) for parameter in KEY_PARAMETERS))


def _answers(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The lines that are answers to the question for a parameter."""
    for line in lines:
        try:
            answer = orjson.loads(line)
        except orjson.JSONDecodeError:  # a line of the log, or one that was cut
            continue
        if isinstance(answer, dict) and answer.get("command") == Function.PARAMS_GET_SINGLE:
            yield answer


def _value(answer: dict[str, Any]) -> int | None:
    """The value that an answer brings; None where the inverter refused it."""
    data = answer.get("data")
    value = data.get("value") if isinstance(data, dict) else None
    if answer.get("response") != Function.RESP_PARAMS_SINGLE or type(value) is not int:
        return None
    return value if 0 <= value <= 0xFFFFFFFF else None


def _add(named: dict[int, int | None], parameter: int, value: int | None) -> None:
    """Note an answer; one with a value counts more than a refusal."""
    old = named.setdefault(parameter, value)
    if old is None:
        named[parameter] = value
    elif value is not None and value != old:
        raise ValueError(f"there are different answers for parameter 0x{parameter:04x}")


def _present(named: dict[int, int | None], parameter: int) -> int:
    if parameter not in named:
        raise ValueError(f"there is no answer for parameter 0x{parameter:04x}")
    value = named[parameter]
    if value is None:
        raise ValueError(f"the inverter refused parameter 0x{parameter:04x}")
    return value

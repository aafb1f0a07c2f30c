"""The rules of the house: who imports whom, how long things are, what stands where."""

import ast
import functools
import graphlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parent.parent
TESTS = ROOT / "tests"
MODULES = sorted((ROOT / "se").rglob("*.py"))
SCRIPTS = sorted(ROOT.glob("*2*.py")) + sorted(ROOT.glob("se*.py"))
SCRIPTS = sorted({script for script in SCRIPTS if script.name != "setup.py"})

GROUND = ("se.errors", "se.log", "se.stop", "se.stream")
# the rooms, and what each may import of the package beside itself
DOORS: dict[str, tuple[str, ...]] = {
    "se.errors": (),
    "se.stop": (),
    "se.stream": (),
    "se.log": ("se.errors",),
    "se.wire": ("se.errors",),
    "se.records": ("se.errors", "se.wire.values"),
    "se.capture": (*GROUND, "se.wire"),
    "se.files": GROUND,
    "se.transport": GROUND,
    "se.sinks": (*GROUND, "se.files", "se.records", "se.wire.values"),
    "se.cli": GROUND,
    "se.keys": (*GROUND, "se.wire", "se.files"),
    "se.simulator": (*GROUND, "se.cli", "se.wire", "se.records", "se.files", "se.keys"),
    "se.programs": (
        *GROUND,
        "se.cli",
        "se.wire",
        "se.records",
        "se.capture",
        "se.files",
        "se.transport",
        "se.sinks",
        "se.keys",
    ),
}
PURE = ("se.wire", "se.records", "se.capture", "se.stream")
WORLDLY = "os io sys socket serial time logging threading json argparse".split()
ONE_PLACE = {
    "Crypto": {"se.wire.crypto"},
    "fastcrc": {"se.wire.crc"},
    "netifaces": {"se.transport.interfaces"},
    "serial": {"se.transport.serial_port"},
    "dpkt": {"se.capture.layers", "se.transport.dhcp", "se.transport.dns"},
}
# modules, or all of a room, without a test module of their own: what shows that they are right
ELSEWHERE = {
    "se.capture.formats": "tests/capture/test_reader.py, which reads captures of each format",
    "se.capture.segment": "tests/capture/test_tcp.py, which is about what it names",
    "se.capture.tally": "tests/capture/test_extractor.py: what is counted, and why",
    "se.programs.convert_options": "tests/system/test_converters.py, with whole programs",
    "se.programs.csv_files": "tests/system/test_converters.py, with whole programs",
    "se.programs.graphite": "tests/system/test_converters.py, with whole programs",
    "se.programs.monitor.monitor": "test_clients.py beside it, and the whole programs",
    "se.programs.monitor.network": "tests/system/test_semonitor_network.py, with whole programs",
    "se.programs.monitor.run": "tests/system/test_semonitor.py, with whole programs",
    "se.programs.monitor.serial": "tests/system/test_semonitor_serial.py, with whole programs",
    "se.programs.state": "tests/system/test_converters.py, with whole programs",
    "se.records.__main__": "tests/system/test_readme.py, which compares what it prints",
    "se.simulator": "tests/simulator/test_simulator.py: what the site as a whole sends",
    "se.sinks.graphite": "tests/sinks/test_carbon.py: what is sent",
    "se.transport.leases": "tests/transport/test_dhcp.py: which packets get which address",
    "se.wire.conversation": "tests/wire/test_commands.py and test_master.py: what both share",
}


def name(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name(path) for path in MODULES} | {"se.__version__"}


@functools.cache
def imports(path: pathlib.Path) -> tuple[str, ...]:
    """The modules that a file imports, those for type checkers alone left out."""
    return tuple(_imports(path))


def _imports(path: pathlib.Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for branch in ast.walk(tree):
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING":
            branch.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            assert node.module and not node.level, f"{path}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in NAMES else node.module


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def room_of(module: str) -> str:
    """The room that a module lies in; the package itself is none."""
    rooms = [room for room in DOORS if inside(module, room)]
    assert len(rooms) == 1, f"{module} lies in {rooms}"
    return rooms[0]


def test_every_room_has_its_doors_and_every_door_leads_into_a_room() -> None:
    found = {room_of(name(path)) for path in MODULES if name(path) != "se"}
    assert found == set(DOORS)
    for doors in DOORS.values():
        assert set(doors) <= found | NAMES


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_room_imports_only_through_its_doors(path: pathlib.Path) -> None:
    if name(path) == "se":
        assert not imports(path)
        return
    room = room_of(name(path))
    for module in imports(path):
        if inside(module, "se") and module != "se.__version__":
            assert any(inside(module, door) for door in (room, *DOORS[room])), module


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name(path): {m for m in imports(path) if inside(m, "se")} for path in MODULES}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_core_does_not_touch_the_world(path: pathlib.Path) -> None:
    if any(inside(name(path), room) for room in PURE) and not name(path).endswith("__main__"):
        assert not {module.split(".")[0] for module in imports(path)} & set(WORLDLY)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_each_library_has_its_place(path: pathlib.Path) -> None:
    for module in imports(path):
        places = ONE_PLACE.get(module.split(".")[0])
        assert places is None or name(path) in places, module


def test_each_place_of_a_library_is_one() -> None:
    for library, places in ONE_PLACE.items():
        users = {
            name(path) for path in MODULES if library in {m.split(".")[0] for m in imports(path)}
        }
        assert users == places


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=name)
def test_nothing_is_too_long(path: pathlib.Path) -> None:
    text = path.read_text()
    if path.name not in ("functions.py", "inverters.py"):
        assert text.count("\n") <= (80 if path in SCRIPTS else 250)
    for name, length in function_lengths(path):
        assert length <= 40, name


def function_lengths(path: pathlib.Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_nine_functions_of_ten_are_short() -> None:
    lengths = sorted(length for path in MODULES + SCRIPTS for _, length in function_lengths(path))
    assert lengths[len(lengths) * 9 // 10] <= 20


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=name)
def test_what_argparse_parsed_ends_in_typed_options(path: pathlib.Path) -> None:
    parsers = {"se.cli", "se.simulator.options", "se.simulator.__main__"}
    assert "Namespace" not in path.read_text() or path in SCRIPTS or name(path) in parsers


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_loads_nothing_but_its_program_late(script: pathlib.Path) -> None:
    functions = [n for n in ast.parse(script.read_text()).body if isinstance(n, ast.FunctionDef)]
    late = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert len(late) == 1


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=name)
def test_every_module_and_public_name_has_a_docstring(path: pathlib.Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    scopes += [node for node in classes if not node.name.startswith("_")]
    for scope in scopes:
        for node in scope.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                known = "error"  # overrides a documented one
                assert ast.get_docstring(node) or node.name == known, node.name


def mirror_of(module: pathlib.Path) -> pathlib.Path:
    """Where the tests of a module stand; those of a room as a whole bear its name."""
    file = module.parent if module.name == "__init__.py" else module.with_suffix("")
    room = file if module.name == "__init__.py" else file.parent
    return TESTS / room.relative_to(ROOT / "se") / f"test_{file.name}.py"


def has_code(module: pathlib.Path) -> bool:
    nodes = ast.walk(ast.parse(module.read_text()))
    return any(isinstance(node, ast.FunctionDef) for node in nodes)


def test_every_module_with_code_has_its_tests_in_the_same_room() -> None:
    lacking = {name(path) for path in MODULES if has_code(path) and not mirror_of(path).exists()}
    excused = {module for module in lacking for other in ELSEWHERE if inside(module, other)}
    assert lacking == excused
    assert [other for other in ELSEWHERE if not any(inside(each, other) for each in lacking)] == []


def test_every_test_module_belongs_to_a_module_or_to_a_room() -> None:
    tests = {path for path in TESTS.rglob("test_*.py") if TESTS / "system" not in path.parents}
    assert tests - {mirror_of(path) for path in MODULES} == {pathlib.Path(__file__)}


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_every_script_can_be_run_as_it_is(script: pathlib.Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env python3\n")


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_every_script_answers_help_and_version(script: pathlib.Path) -> None:
    answer = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=True
    )
    assert script.name in answer.stdout and "examples:" in answer.stdout
    assert answer.stderr == ""
    answer = subprocess.run(
        [sys.executable, script, "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(rf"{script.name} \d+\.\d+\.\d+\n", answer.stdout)


def test_reading_a_file_loads_no_device_libraries(tmp_path: pathlib.Path) -> None:
    empty = tmp_path / "empty.dat"
    empty.touch()
    program = (
        "import sys, semonitor\n"
        f"assert semonitor.main([{str(empty)!r}]) == 0\n"
        "loaded = {'serial', 'dpkt', 'netifaces', 'Crypto', 'socket'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    environment = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment)

"""What the README says is so."""

import pathlib
import re
import subprocess
import sys

from se.records.__main__ import document

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_record_tables_are_those_of_the_code() -> None:
    tables = README.split("<!-- records -->\n")[1].split("<!-- /records -->")[0]
    assert tables == document()


def test_the_documentation_is_printed() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "se.records"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout == document()


def test_every_option_of_semonitor_is_explained() -> None:
    answer = subprocess.run(
        [sys.executable, "semonitor.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"^  (-\w)", answer.stdout, re.MULTILINE)) - {"-h"}
    assert options >= set("-a -b -c -d -f -k -m -n -o -r -s -t -v -x".split())
    explained = set(re.findall(r"^\| `(-\w)", README, re.MULTILINE))
    assert options == explained

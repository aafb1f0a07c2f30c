"""Two names that may be one file."""

import pathlib

import pytest

from se.errors import OutputError
from se.files.names import refuse_same_file


def test_no_file_is_named_twice(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.touch()
    refuse_same_file(str(path), None, "-", "-", "/dev/null", "/dev/null", f"{path}.other")
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(OutputError, match=f"{link}: is the same file as {path}"):
        refuse_same_file(str(path), str(link))
    with pytest.raises(OutputError, match="is the same file"):
        refuse_same_file(f"{path}.new", None, f"{path.parent}/../{path.parent.name}/file.new")

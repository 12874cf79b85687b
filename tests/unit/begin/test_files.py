from __future__ import annotations

import pytest

from evoray.begin.files import write_text
from evoray.errors import ConfigError


def test_a_file_is_written_whole_with_its_folders(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "ä\n")
    write_text(tmp_path / "new" / "a.txt", "b\n")
    assert (tmp_path / "new" / "a.txt").read_text() == "b\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/a.txt: cannot be written .* Name another file"):
        write_text(tmp_path / "file" / "a.txt", "")

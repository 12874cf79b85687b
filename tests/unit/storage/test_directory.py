from __future__ import annotations

import numpy as np
import pytest

from evoray.errors import RunError, UsageError
from evoray.storage.directory import RunDirectory, pack_arrays, unpack_arrays


@pytest.fixture(params=["path", "uri"])
def directory(request, tmp_path):
    return RunDirectory(str(tmp_path) if request.param == "path" else f"file://{tmp_path}/run")


def test_a_file_is_replaced_whole(directory):
    for content in (b"first", b"second, and longer", b""):
        directory.write("a/b.bin", content)
        assert directory.read("a/b.bin") == content
    assert directory.names("a") == ["b.bin"]
    directory.remove("a/b.bin")
    directory.remove("a/b.bin")
    assert directory.names("a") == []


def test_a_half_written_file_is_never_seen(tmp_path):
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "00000000-0123456789abcdef.arrow.part").write_bytes(b"half")
    assert RunDirectory(str(tmp_path)).names("journal") == []


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match=r"no summary\.json"):
        RunDirectory(str(tmp_path)).read_json("summary.json")


def test_an_unwritable_directory_says_how_to_go_on(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--resume"):
        RunDirectory(str(tmp_path / "file")).write("a/b.json", b"{}")


def test_an_unknown_scheme_is_refused():
    with pytest.raises(UsageError, match="nowhere"):
        RunDirectory("nowhere://bucket/run")


def test_arrays_survive_packing():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([2**60], dtype=np.int64)}
    found = unpack_arrays(pack_arrays(arrays))
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) and found[name].dtype == arrays[name].dtype for name in arrays)

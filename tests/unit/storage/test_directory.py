from __future__ import annotations

import json
import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from evoray.errors import RunError, UsageError
from evoray.storage.directory import RunDirectory, free_path, pack_arrays, unpack_arrays


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


def test_a_run_that_has_not_finished_says_how_to_go_on(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"no summary\.json in it\. The run has not finished.*--resume"):
        RunDirectory(str(tmp_path)).read_json("summary.json")


def test_an_unwritable_directory_says_how_to_go_on(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="resume=True"):
        RunDirectory(str(tmp_path / "file")).write("a/b.json", b"{}")


def test_an_unknown_scheme_is_refused():
    with pytest.raises(UsageError, match="nowhere"):
        RunDirectory("nowhere://bucket/run")


def test_arrays_survive_packing():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([2**60], dtype=np.int64)}
    found = unpack_arrays(pack_arrays(arrays))
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name]) and found[name].dtype == arrays[name].dtype for name in arrays)


def test_files_of_a_folder_are_sorted_and_of_a_missing_one_none(directory):
    for name in ("c", "a", "b.json"):
        directory.write(f"lineage/{name}", name.encode())
    assert directory.names("lineage") == ["a", "b.json", "c"]
    assert directory.names("never") == []


def test_what_is_there_and_how_large_it_is(directory):
    directory.write("lineage/best.json", b"12345")
    assert directory.exists("lineage/best.json") and directory.size("lineage/best.json") == 5
    assert not directory.exists("lineage") and directory.size("lineage") is None, "a folder is no file"
    assert not directory.exists("summary.json") and directory.size("summary.json") is None


def test_a_block_that_fails_leaves_what_was_there(directory):
    def fails():
        with directory.writing("a.bin") as stream:
            stream.write(b"half of the next")
            raise LookupError

    for content in (None, b"first"):
        if content is not None:
            directory.write("a.bin", content)
        with pytest.raises(LookupError):
            fails()
        assert directory.exists("a.bin") == (content is not None)
    assert directory.read("a.bin") == b"first"
    assert directory.names() == ["a.bin"]


def test_no_temporary_file_stays_on_the_disk(tmp_path):
    directory = RunDirectory(str(tmp_path))

    def fails():
        with directory.writing("a.bin"):
            raise LookupError

    directory.write("b.bin", b"x")
    with pytest.raises(LookupError):
        fails()
    assert [path.name for path in tmp_path.iterdir()] == ["b.bin"]


def test_two_writers_of_one_file_do_not_mix(directory):
    with directory.writing("a.bin") as first:
        first.write(b"1" * 100)
        with directory.writing("a.bin") as second:
            second.write(b"2")
        assert directory.read("a.bin") == b"2"
        first.write(b"1" * 100)
    assert directory.read("a.bin") == b"1" * 200


def test_json_is_readable_and_knows_no_nan(directory):
    value = {"b": [1, 2.5, None], "a": {"ü": True}}
    directory.write_json("a.json", value)
    assert directory.read_json("a.json") == value == json.loads(directory.read("a.json"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        directory.write_json("a.json", {"nll": float("nan")})
    assert directory.read_json("a.json") == value


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_damaged_json_is_named(content, directory):
    directory.write("a.json", content)
    with pytest.raises(UsageError, match=r"a\.json: damaged, not JSON"):
        directory.read_json("a.json")


def test_a_table_is_read_back(directory):
    table = pa.table({"id": ["g0000/c0000", "parent"], "nll": [0.5, None], "n": pa.array([1, 2**40], pa.int64())})
    directory.write_table("population.parquet", table)
    assert directory.read_table("population.parquet").equals(table)


def test_a_table_that_was_cut_or_flipped_is_named_or_still_read(tmp_path):
    directory = RunDirectory(str(tmp_path))
    directory.write_table("a.parquet", pa.table({"n": list(range(20))}))
    whole = directory.read("a.parquet")
    cut = [whole[:length] for length in range(0, len(whole), 41)]
    flipped = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(0, len(whole), 7)]
    refused = []
    for content in (*cut, *flipped):
        directory.write("a.parquet", content)
        try:
            directory.read_table("a.parquet")
        except UsageError as error:
            refused.append(str(error))
    assert len(refused) > len(cut) + len(flipped) / 2
    assert all(message.startswith(f"{tmp_path}/a.parquet: damaged") for message in refused)


def test_another_process_finds_it_under_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directory = RunDirectory("runs/one")
    assert directory.location == "runs/one"
    assert directory.everywhere == str(tmp_path / "runs" / "one")
    assert RunDirectory("file:///some/run").everywhere == "file:///some/run"
    monkeypatch.chdir("/")
    directory.write("a.bin", b"x")
    assert (tmp_path / "runs" / "one" / "a.bin").read_bytes() == b"x", "a change of folder moves no run"


def test_a_free_path_is_never_one_that_is_there(tmp_path):
    wanted = tmp_path / "run.out"
    made = []
    for _ in range(4):
        made.append(free_path(wanted))
        made[-1].mkdir()
    assert [path.name for path in made] == ["run.out", "run.out-2", "run.out-3", "run.out-4"]
    (tmp_path / "run.out-2").rmdir()
    assert free_path(wanted).name == "run.out-2"


def test_arrays_with_pickles_in_them_are_refused():
    payload = pack_arrays({"a": np.array([{"an": "object"}], dtype=object)})
    with pytest.raises(RunError, match=r"the journal: a record: damaged .*allow_pickle"):
        unpack_arrays(payload)


@given(arrays(st.sampled_from([np.float32, np.int64, np.uint8, np.bool_]), array_shapes(min_dims=0, min_side=0)))
def test_an_array_of_any_shape_and_type_survives_to_the_bit(array):
    found = unpack_arrays(pack_arrays({"one": array, "name/with.dots": array.T}))
    assert found["one"].tobytes() == array.tobytes() and found["one"].dtype == array.dtype
    assert found["name/with.dots"].shape == array.T.shape


def test_who_reads_a_file_while_it_is_replaced_reads_the_old_one_to_its_end(tmp_path):
    directory = RunDirectory(str(tmp_path))
    directory.write("a.bin", b"first, and whole")
    with open(tmp_path / "a.bin", "rb") as reader:
        assert reader.read(5) == b"first"
        directory.write("a.bin", b"second")
        assert reader.read() == b", and whole"
    assert directory.read("a.bin") == b"second"


def test_a_folder_in_it_is_a_directory_of_the_same_store(tmp_path):
    below = RunDirectory(str(tmp_path)).below("a").below("b c")
    below.write("x", b"1")
    assert below.location == f"{tmp_path}/a/b c" and (tmp_path / "a" / "b c" / "x").read_bytes() == b"1"
    assert RunDirectory("file:///tmp").below("a").location == "file:///tmp/a"


def test_entries_say_what_is_a_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for location in (str(tmp_path), f"file://{tmp_path}"):
        entries = RunDirectory(location).entries()
        assert [(one.name, one.is_folder) for one in entries] == [("file", False), ("folder", True)]
        assert all(one.modified > 10**9 for one in entries)
    with pytest.raises(UsageError, match="file: not a folder that can be read"):
        RunDirectory(str(tmp_path / "file")).entries()


def test_rows_of_a_table_from_its_end(tmp_path):
    directory = RunDirectory(str(tmp_path))
    directory.write_table("good.parquet", pa.table({"a": [1, 2, 3]}))
    directory.write("bad.parquet", b"PAR1 PAR1")
    os.mkfifo(tmp_path / "pipe.parquet")
    found = [directory.table_rows(f"{name}.parquet") for name in ("good", "bad", "pipe", "none")]
    assert found == [3, None, None, None]

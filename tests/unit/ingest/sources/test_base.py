from __future__ import annotations

import os
import pickle
import resource

import numpy as np
import pytest
from forms import flat_by_name, parquet, webdataset

from evoray.errors import DataError
from evoray.ingest.sources import open_source
from evoray.ingest.sources.base import SlicedSource, check_text, expand, state_of


def sliced(tmp_path, contents):
    """Each file's records, one after another."""
    files, which, offsets, sizes = [], [], [], []
    for number, records in enumerate(contents):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(b"".join(records))
        files.append(str(path))
        ends = np.cumsum([0, *map(len, records)])
        which += [number] * len(records)
        offsets += ends[:-1].tolist()
        sizes += [len(record) for record in records]
    names = [str(record) for record in range(len(which))]
    arrays = (np.array(which), np.array(offsets), np.array(sizes))
    return SlicedSource(tuple(files), *arrays, ("only",), names, [0] * len(names))


def test_each_record_is_its_own_bytes(tmp_path):
    contents = [[b"one", b"", b"three"], [b"4"]]
    source = sliced(tmp_path, contents)
    assert [source.open(record) for record in (3, 0, 1, 2, 0)] == [b"4", b"one", b"", b"three", b"one"]


def test_it_travels_to_another_process(tmp_path):
    source = sliced(tmp_path, [[b"one", b"two"]])
    source.open(0)
    assert pickle.loads(pickle.dumps(source)).open(1) == b"two"


def test_a_file_that_was_cut_is_named_without_its_folder(tmp_path):
    source = sliced(tmp_path, [[b"one", b"two"]])
    (tmp_path / "0.bin").write_bytes(b"onet")
    assert source.open(0) == b"one"
    with pytest.raises(OSError, match=r"^0\.bin ends before this record does"):
        source.open(1)


def test_a_file_that_is_gone_is_an_error_of_storage(tmp_path):
    source = sliced(tmp_path, [[b"one"]])
    (tmp_path / "0.bin").unlink()
    with pytest.raises(FileNotFoundError):
        source.open(0)


def test_a_thousand_files_are_read_with_few_of_them_open(tmp_path):
    """ImageNet as a WebDataset has more tars than a process may have files open."""
    source = sliced(tmp_path, [[bytes([number % 256])] for number in range(600)])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 400, limits[1]))
    try:
        for record in (*range(600), *range(600)):
            assert source.open(record) == bytes([record % 256])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(os.listdir("/proc/self/fd")) <= before + 300


@pytest.fixture
def folder(tmp_path):
    for name in ("b.tar", "a.tar", "deep/er/c.tar", "a.txt", "x-08.tar", "x-09.tar", "x-10.tar"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.tar").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("b.tar", ["b.tar"]),
        ("a.txt", ["a.txt"]),
        ("", ["a.tar", "b.tar", "deep/er/c.tar", "x-08.tar", "x-09.tar", "x-10.tar"]),
        ("deep", ["deep/er/c.tar"]),
        ("?.tar", ["a.tar", "b.tar"]),
        ("**/c.tar", ["deep/er/c.tar"]),
        ("x-{08..10}.tar", ["x-08.tar", "x-09.tar", "x-10.tar"]),
        ("x-{10..10}.tar", ["x-10.tar"]),
        ("absent*.tar", []),
        ("absent.tar", []),
    ],
)
def test_a_pattern_names_files_in_order(pattern, expected, folder):
    found = expand(str(folder / pattern), ".tar")
    assert [str(path.relative_to(folder)) for path in found] == expected


def test_a_numbered_file_that_is_missing_is_named(folder):
    with pytest.raises(DataError, match=r"x-11\.tar: no such file, though .*\{08\.\.12\}"):
        expand(f"{folder}/x-{{08..12}}.tar", ".tar")


def test_a_name_that_is_no_text_is_shown_as_bytes(tmp_path):
    check_text(tmp_path, "größe.png")
    with pytest.raises(DataError, match=r"the name b'a/\\xff\.png' in it is not UTF-8\. Rename the file"):
        check_text(tmp_path, os.fsdecode(b"a/\xff.png"))


def test_folders_with_square_brackets_are_folders(tmp_path):
    for name in ("my[1]/a[2]/x-0.tar", "my[1]/a[2]/x-1.tar", "my1/a2/x-0.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    inside = tmp_path / "my[1]" / "a[2]"
    both = [inside / "x-0.tar", inside / "x-1.tar"]
    for pattern in ("x-*.tar", "x-?.tar", "x-[01].tar", "x-{0..1}.tar", ""):
        assert expand(str(inside / pattern), ".tar") == both
    assert expand(f"{tmp_path}/my[1]/*/x-1.tar", ".tar") == both[1:]
    assert expand(f"{tmp_path}/my[1]/**/*.tar", ".tar") == both


def test_a_pattern_may_be_relative(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [str(path) for path in expand("?.tar", ".tar")] == ["a.tar", "b.tar"]


def test_what_systems_leave_is_no_file_of_a_folder(folder):
    for name in ("._b.tar", "__MACOSX/b.tar", ".cache/b.tar"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert len(expand(str(folder), ".tar")) == 6


def test_a_range_of_any_length_ends_at_the_first_file_that_is_missing(folder):
    with pytest.raises(DataError, match=r"x-11\.tar: no such file, though"):
        expand(f"{folder}/x-{{08..999999999}}.tar", ".tar")
    assert expand(f"{folder}/x-{{10..08}}.tar", ".tar") == []


def test_the_state_of_files_tells_when_one_was_written(tmp_path):
    files = [str(tmp_path / name) for name in ("a", "b")]
    states = [state_of(files)]
    for name, content in (("a", "1"), ("b", "1"), ("a", "12"), ("a", "")):
        (tmp_path / name).write_text(content)
        states.append(state_of(files))
    assert len(set(states)) == len(states)
    assert state_of(files) == states[-1] != state_of(files[:1])


@pytest.mark.parametrize("form", [webdataset, parquet, flat_by_name])
def test_every_source_of_files_says_their_state(form, tmp_path):
    name = str(form(tmp_path))
    before = open_source(name).state(range(4))
    assert open_source(name).state(range(4)) == before
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (1, 1))
    assert open_source(name).state(range(4)) != before

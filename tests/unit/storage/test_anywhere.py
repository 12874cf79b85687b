from __future__ import annotations

from pathlib import Path

import pyarrow.fs
import pytest

from evoray.errors import ModelError, UsageError
from evoray.storage import anywhere


@pytest.fixture
def remote(monkeypatch):
    """``mem://…`` is a file system in memory."""
    fs = pyarrow.fs._MockFileSystem()
    fs.create_dir("b/run/lineage")
    for name, content in (("b/run/lineage/soup.json", b"{}"), ("b/run/space.json", b"[]"), ("b/p.pt", b"12345")):
        with fs.open_output_stream(name) as stream:
            stream.write(content)
    own = anywhere._opened

    def opened(location):
        return (fs, str(location).removeprefix("mem://")) if str(location).startswith("mem://") else own(location)

    monkeypatch.setattr(anywhere, "_opened", opened)


def test_a_file_is_read_wherever_it_lies(remote, tmp_path):
    (tmp_path / "a b.json").write_bytes(b"[1]")
    for location in (tmp_path / "a b.json", str(tmp_path / "a b.json"), (tmp_path / "a b.json").as_uri()):
        assert anywhere.read_anywhere(location, 10) == b"[1]"
        with anywhere.fetched(location) as path:
            assert path == tmp_path / "a b.json"
    assert anywhere.read_anywhere("mem://b/run/space.json", 10) == b"[]"
    with anywhere.fetched("mem://b/p.pt") as path:
        assert path.name == "p.pt" and path.read_bytes() == b"12345"
    assert not path.exists()


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("mem://b/run/none.json", "none.json: no such file"),
        ("mem://b/p.pt", "more than the 4 bytes"),
        ("gopher://b/x", "not a path or URI that pyarrow can open"),
        ("file:///absent/x", "/absent/x: (no such|cannot be read)"),
        ("/absent/x", "/absent/x: (no such|cannot be read)"),
    ],
)
def test_what_cannot_be_read_is_named(remote, location, message):
    with pytest.raises(UsageError, match=message):
        anywhere.read_anywhere(location, 4)


def test_who_reads_a_copy_names_the_uri(remote):
    with pytest.raises(ModelError, match=r"^mem://b/p\.pt: damaged"), anywhere.fetched("mem://b/p.pt") as path:
        raise ModelError(f"{path}: damaged")


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("mem://b/run/lineage/soup.json", ["mem://b/run/lineage/s", "mem://b/run/s", "mem://b/s"]),
        ("s3://b/soup.json?region=x", ["s3://b/s?region=x"]),
        ("file:/r/soup.json", ["file:/r/s"]),
        ("file:///r/l/soup.json", ["file:///r/l/s", "file:///r/s", "file:///s"]),
        (Path("/r/l/g/c.json"), [Path("/r/l/g/s"), Path("/r/l/s"), Path("/r/s")]),
    ],
)
def test_what_lies_beside_or_above(location, found):
    assert anywhere.above(location, "s") == found


def test_whether_there_is_a_file(remote, tmp_path):
    assert anywhere.is_file("mem://b/p.pt") and not anywhere.is_file("mem://b/run")
    assert not anywhere.is_file(tmp_path) and not anywhere.is_file(tmp_path / "none")

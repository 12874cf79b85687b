from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.sharing.placing import check_place, placed


@pytest.fixture
def place(tmp_path):
    (tmp_path / "file.pt").write_text("kept")
    (tmp_path / "network").mkdir()
    (tmp_path / "network/config.json").write_text("{}")
    (tmp_path / "network/model.safetensors").write_text("")
    for name, files in {
        "run": ("config.json", "space.json", "parent.safetensors", "summary.json"),
        "begun": ("config.json", "space.json", "parent.safetensors"),
        "clone": ("config.json", "model.safetensors", ".git"),
        "settings": ("config.json",),
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("kept")
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs/one").write_text("kept")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "folder", "overwrite", "message"),
    [
        ("file.pt", False, False, "exists already. Name another file"),
        ("network", True, False, "exists already. Name another folder"),
        ("photographs", True, True, "no folder of a network alone, so it is not replaced"),
        ("run", True, True, "no folder of a network alone"),
        ("begun", True, True, "no folder of a network alone"),
        ("clone", True, True, "no folder of a network alone"),
        ("settings", True, True, "no folder of a network alone"),
        ("photographs", False, True, "not a regular file"),
        ("absent/file.pt", False, False, "no such directory"),
        ("a\0b", False, False, "name a file"),
    ],
)
def test_what_may_not_be_written_is_refused(place, name, folder, overwrite, message):
    with pytest.raises(UsageError, match=message):
        check_place(place / name, folder, overwrite)


def test_the_folder_that_one_stands_in_is_not_replaced(place, monkeypatch):
    monkeypatch.chdir(place / "network")
    with pytest.raises(UsageError, match="so it is not replaced"):
        check_place(Path("..") / "network", True, True)


@pytest.mark.parametrize("uri", ["s3://bucket/soup.pt", "file:/tmp/soup.pt", "gs://b/folder"])
def test_a_uri_is_no_place(uri):
    with pytest.raises(UsageError, match="of this machine"):
        check_place(Path(uri), False, False)


@pytest.mark.parametrize(("name", "folder"), [("file.pt", False), ("network", True), ("new", True), ("new.pt", False)])
def test_it_appears_whole_and_takes_the_place_of_what_was_there(place, name, folder):
    check_place(place / name, folder, True)
    with placed(place / name, folder) as part:
        assert part.suffix == (".part" if folder else ".pt") and part.parent == place
        (part / "inside" if folder else part).write_text("new")
    assert ((place / name / "inside") if folder else place / name).read_text() == "new"
    assert not folder or [one.name for one in (place / name).iterdir()] == ["inside"]
    assert not [one for one in place.iterdir() if ".part" in one.name or ".before" in one.name]


@pytest.mark.parametrize(("name", "folder"), [("file.pt", False), ("network", True), ("new", True)])
def test_what_fails_leaves_all_as_it_was(place, name, folder):
    before = sorted(one.name for one in place.iterdir())

    def half(part):
        (part / "inside" if folder else part).write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UsageError, match="cannot be written"), placed(place / name, folder) as part:
        half(part)
    assert sorted(one.name for one in place.iterdir()) == before
    assert (place / "file.pt").read_text() == "kept" and (place / "network/config.json").exists()

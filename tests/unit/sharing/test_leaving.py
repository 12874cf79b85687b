"""No file that leaves this machine names a place on it."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest

from evoray.errors import LineageError
from evoray.mutation.document import with_parent_name
from evoray.results.export import Member, read_member, rebuild_file
from evoray.sharing.export import Wanted, leaving, share
from evoray.storage.directory import RunDirectory


@pytest.fixture
def told(made, tmp_path_factory):
    """A run whose parent is called by its path: (directory, a folder that nobody may be told of)."""
    folder = tmp_path_factory.mktemp("secret")
    directory = RunDirectory(str(folder / "run"))
    shutil.copytree(made[0].location, directory.location)
    for name in ("best", "soup", "parent"):
        document = directory.read_json(f"lineage/{name}.json")
        directory.write_json(f"lineage/{name}.json", with_parent_name(document, str(folder / "nets/mine")))
    return directory, folder


def contents(path):
    """(name, bytes) of every file below, those inside archives unpacked."""
    for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not one.is_file():
            continue
        yield one.name, one.read_bytes()
        if zipfile.is_zipfile(one):
            with zipfile.ZipFile(one) as archive:
                yield from ((f"{one.name}!{name}", archive.read(name)) for name in archive.namelist())


@pytest.mark.parametrize(
    "name",
    ["folder", "m.safetensors", "m.pt", *(pytest.param(one, marks=pytest.mark.slow) for one in ("m.pt2", "m.onnx"))],
)
def test_no_file_of_an_export_names_a_place(told, tmp_path, name):
    directory, folder = told
    assert str(folder) in directory.read("lineage/best.json").decode()
    share(directory, "best", tmp_path / name, Wanted(card=True))
    found = dict(contents(tmp_path))
    assert (
        {"README.md", "lineage.json"} <= found.keys()
        if name == "folder"
        else any(one.startswith("m.") and one.endswith(".md") for one in found)
    )
    for file, content in found.items():
        for place in (str(folder), str(folder.parent), str(tmp_path.parent), __file__.partition("/tests/")[0]):
            assert place.encode() not in content, file


def test_what_was_renamed_is_rebuilt(told, tmp_path):
    directory, _ = told
    shared = share(directory, "soup", tmp_path / "out", Wanted())
    said = json.loads((tmp_path / "out/lineage.json").read_text())
    assert said["parent"]["name"] == "mine"
    (tmp_path / "parent.safetensors").write_bytes(directory.read("parent.safetensors"))
    given = (tmp_path / "out/lineage.json", tmp_path / "parent.safetensors")
    assert rebuild_file(*given, tmp_path / "m.safetensors").sha256 == shared.sha256
    given[0].write_text(json.dumps(said | {"parent": said["parent"] | {"name": "other"}}))
    with pytest.raises(LineageError, match="lineage digest differs"):
        rebuild_file(*given, tmp_path / "no.safetensors")


def test_a_recipe_without_a_place_stays_as_it_is(made):
    member = read_member(made[0], "best", None)
    assert leaving(member) is member
    nameless = Member({}, "", json.dumps({"parent": {"sha256": ""}}).encode())
    assert leaving(nameless) is nameless

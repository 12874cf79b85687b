from __future__ import annotations

import json
from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.results import export as module


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What would have been written, by commands whose files are there; the digest is a made one."""
    asked = []
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a/config.json", "soup.json", "parent.pth", "p.pth"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()

    def export_member(directory, member, output, parent, towards):
        asked.append((directory.location, member, output, parent, *towards))
        return "ab12"

    def rebuild_file(lineage, parent, output, towards):
        asked.append((lineage, parent, output, *towards))
        return "cd34"

    monkeypatch.setattr(module, "export_member", export_member)
    monkeypatch.setattr(module, "rebuild_file", rebuild_file)
    return asked


def test_export_says_what_was_written(evoray, asked, tmp_path):
    file = tmp_path / "soup.safetensors"
    assert evoray("export", "runs/a", "soup", "-o", file) == f"{file}  weights sha256 ab12\n"
    found = json.loads(evoray("export", "runs/a", "soup", "--output", file, "--parent", "p.pth", "--json"))
    assert found == {"file": str(file), "weights_sha256": "ab12"}
    assert asked == [("runs/a", "soup", file, None), ("runs/a", "soup", file, Path("p.pth"))]


def test_rebuild_needs_two_files_alone(evoray, asked, tmp_path):
    file = tmp_path / "soup.safetensors"
    assert evoray("rebuild", "soup.json", "parent.pth", "-o", file) == f"{file}  weights sha256 cd34\n"
    assert asked == [(Path("soup.json"), Path("parent.pth"), file)]
    flags = ["--towards", "b.pth", "--towards", "a.pth"]
    evoray("rebuild", "soup.json", "parent.pth", "-o", file, *flags)
    evoray("export", "runs/a", "soup", "-o", file, *flags)
    assert [one[3:] for one in asked[1:]] == [(Path("b.pth"), Path("a.pth")), (None, Path("b.pth"), Path("a.pth"))]


@pytest.mark.parametrize("command", [("export", "runs/a", "soup"), ("rebuild", "soup.json", "parent.pth")])
def test_the_output_is_checked_before_anything_is_read(command, evoray, asked, tmp_path):
    there = tmp_path / "there.safetensors"
    there.write_text("kept")
    for name, message in (
        ("soup.pth", r"soup\.pth: name a \.safetensors file"),
        ("there.safetensors", r"exists already\. Name another file, or add --overwrite"),
        ("absent/soup.safetensors", "no such directory"),
    ):
        with pytest.raises(UsageError, match=message):
            evoray(*command, "-o", tmp_path / name)
    assert asked == [] and there.read_text() == "kept"
    evoray(*command, "-o", there, "--overwrite")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("export", "runs/b", "soup"), r"runs/b: no config\.json in it\. Name a run directory"),
        (
            ("export", "runs/a", "soup", "--parent", "paren.pth"),
            r'paren\.pth: no such file\. Did you mean "parent\.pth"\?',
        ),
        (
            ("rebuild", "soop.json", "parent.pth"),
            r'soop\.json: no such file\. Did you mean "soup\.json"\? Name a lineage',
        ),
        (("rebuild", "soup.json", "absent"), r"absent: no such file\. Name the parent's checkpoint\."),
    ],
)
def test_a_file_that_is_not_there_is_refused_before_anything_is_read(command, message, evoray, asked):
    with pytest.raises(UsageError, match=message):
        evoray(*command, "-o", "new.safetensors")
    assert asked == []

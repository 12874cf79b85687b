from __future__ import annotations

import json
from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.results import export as module


@pytest.fixture
def asked(monkeypatch):
    """What would have been written; the digest is a made one."""
    asked = []

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

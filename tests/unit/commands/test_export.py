from __future__ import annotations

import json
from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.results import export as module
from evoray.results.export import Member
from evoray.sharing import export as sharing
from evoray.sharing.export import Shared


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What would have been written, by commands whose files are there; the digest is a made one."""
    asked = []
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a/config.json", "soup.json", "parent.pth", "p.pth"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()

    def share(directory, member, output, wanted):
        sharing.check_place(output, not output.suffix, wanted.overwrite)
        asked.append((directory.location, member, output, wanted.parent, *wanted.towards))
        apart = {".pt2": 0.0, ".onnx": 2.5e-7}.get(output.suffix)
        card = output / "README.md" if wanted.push else None
        return Shared(
            output, wanted.format or "safetensors", "ab12", 1234, apart, card, wanted.push and "https://hub/x"
        )

    def rebuild_file(lineage, parent, output, towards):
        asked.append((lineage, parent, output, *towards))
        return Member({}, "cd34", b"{}")

    monkeypatch.setattr(sharing, "share", share)
    monkeypatch.setattr(module, "rebuild_file", rebuild_file)
    return asked


def test_export_says_what_was_written(evoray, asked, tmp_path):
    file = tmp_path / "soup.safetensors"
    assert evoray("export", "runs/a", "soup", "-o", file) == f"{file}  weights sha256 ab12, recipe 1,234 bytes\n"
    found = json.loads(evoray("export", "runs/a", "soup", "--output", file, "--parent", "p.pth", "--json"))
    assert found == {"file": str(file), "weights_sha256": "ab12", "recipe_bytes": 1234, "format": "safetensors"}
    assert asked == [("runs/a", "soup", file, None), ("runs/a", "soup", file, Path("p.pth"))]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m.pt2", "read back and tried: the same answers, bit for bit\n"),
        ("m.onnx", "read back and tried: answers differ by 2.5e-07 at most\n"),
    ],
)
def test_a_graph_is_said_to_have_been_tried(evoray, asked, tmp_path, name, said):
    assert evoray("export", "runs/a", "soup", "-o", tmp_path / name).endswith(said)


def test_what_was_sent_is_said(evoray, asked, tmp_path):
    out = evoray("export", "runs/a", "soup", "-o", tmp_path / "net", "--push", "me/net").splitlines()
    assert out[1:] == [f"card: {tmp_path}/net/README.md. It states no licence: write in it which holds.",
                       "sent to https://hub/x"]  # fmt: skip


@pytest.mark.parametrize("command", [("export", "runs/a", "soup"), ("rebuild", "soup.json", "parent.pth")])
@pytest.mark.parametrize("uri", ["s3://bucket/soup.safetensors", "file:///tmp/soup.safetensors"])
def test_files_are_written_here(command, uri, evoray, asked):
    with pytest.raises(UsageError, match=rf"{uri}: name a file or folder of this machine"):
        evoray(*command, "-o", uri)
    assert asked == []


def test_rebuild_takes_uris(evoray, asked, tmp_path):
    uris = ["s3://bucket/run/lineage/soup.json", (tmp_path / "parent.pth").as_uri()]
    evoray("rebuild", *uris, "-o", tmp_path / "m.safetensors")
    assert asked == [(*uris, tmp_path / "m.safetensors")]


def test_rebuild_needs_two_files_alone(evoray, asked, tmp_path):
    file = tmp_path / "soup.safetensors"
    out = evoray("rebuild", "soup.json", "parent.pth", "-o", file)
    assert out == f"{file}  weights sha256 cd34, recipe 2 bytes\n"
    assert asked == [(Path("soup.json"), Path("parent.pth"), file)]
    flags = ["--towards", "b.pth", "--towards", "a.pth"]
    evoray("rebuild", "soup.json", "parent.pth", "-o", file, *flags)
    evoray("export", "runs/a", "soup", "-o", file, *flags)
    assert [one[3:] for one in asked[1:]] == [(Path("b.pth"), Path("a.pth")), (None, Path("b.pth"), Path("a.pth"))]


def test_rebuild_writes_weights_alone(evoray, asked, tmp_path):
    with pytest.raises(UsageError, match=r"soup\.pth: name a \.safetensors file"):
        evoray("rebuild", "soup.json", "parent.pth", "-o", tmp_path / "soup.pth")
    assert asked == []


@pytest.mark.parametrize("command", [("export", "runs/a", "soup"), ("rebuild", "soup.json", "parent.pth")])
def test_the_output_is_checked_before_anything_is_read(command, evoray, asked, tmp_path):
    there = tmp_path / "there.safetensors"
    there.write_text("kept")
    for name, message in (
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

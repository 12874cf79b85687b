from __future__ import annotations

import json

import pytest
from pictures import GREY, grey_records, make_tree
from typer.testing import CliRunner

from evoray.cli import app
from evoray.data import Manifest
from evoray.errors import ConfigError, DataError
from evoray.ingest import options as module
from evoray.ingest.ingest import ingest_dataset


@pytest.fixture
def shards(tmp_path):
    ingest_dataset(grey_records(23), tmp_path / "shards", GREY, shard_size=10)
    return tmp_path / "shards"


SMALL = ("--resize", 20, "--crop", 16, "--workers", 1)


def test_ingest_makes_shards_and_says_what_it_made(evoray, tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=2)
    (tree / "class0" / "bad.png").write_text("text")
    found = json.loads(evoray("data", "ingest", tree, tmp_path / "shards", *SMALL, "--json"))
    manifest = Manifest.read(tmp_path / "shards")
    assert (found["rows"], found["digest"]) == (6, manifest.digest)
    assert [bad["source"] for bad in found["unreadable"]] == ["class0/bad.png"]
    shown = evoray("data", "ingest", tree, tmp_path / "again", *SMALL)
    assert shown.startswith("6 images of 3 classes in 1 shards, ") and shown.endswith(f": {tmp_path}/again\n")
    with pytest.raises(DataError, match="exists already"):
        evoray("data", "ingest", tree, tmp_path / "shards", *SMALL)


def test_a_name_of_a_bad_file_cannot_steer_the_terminal(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=1)
    (tree / "class0" / "\x1b[31mbad\x07.png").write_text("text")
    words = [str(word) for word in ("data", "ingest", tree, tmp_path / "shards", *SMALL)]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0 and r"skipped class0/\x1b[31mbad\x07.png: a text (text)" in said.output
    assert "\x1b[31m" not in said.output and "1 unreadable files skipped" in said.output


def test_every_option_of_ingest_arrives(evoray, monkeypatch, tmp_path):
    asked = []

    def ingest(source, dest, options, progress):
        asked.append((source, dest, options))
        return {"rows": 1, "classes": 1, "shards": 1, "images_per_s": 1.0, "unreadable": []}

    monkeypatch.setattr(module, "ingest", ingest)
    words = (
        "--for c.toml --resize none --crop 3 --interpolation bicubic --channels 1 --decoder torchvision --format flat"
    )
    words += " --labels l.txt --file-column f --label-column 2 --follow-links --split test --only s=t --only S=u"
    words += " --as-classes --listed-only --per-class 2 --seed 5 --workers 1 --backend ray --shard-size 7 --restart"
    words += " --task image-classification --truncate"
    evoray("data", "ingest", "a", "b", *words.split())
    ((source, dest, options),) = asked
    assert (source, str(dest)) == ("a", "b")
    assert {key: str(value) if key in ("config", "labels") else value for key, value in vars(options).items()} == {
        "config": "c.toml", "resize": "none", "crop": 3, "interpolation": "bicubic", "channels": 1,
        "decoder": "torchvision", "format": "flat", "labels": "l.txt",
        "file_column": "f", "label_column": "2", "follow_links": True, "split": "test", "only": "s=t,u",
        "as_classes": True, "listed_only": True, "per_class": 2, "seed": 5, "workers": 1,
        "backend": "ray", "shard_size": 7, "restart": True, "truncate": True,
        "masks": None, "palette": None,
    }  # fmt: skip


def test_without_options_they_are_those_of_the_library(evoray, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "ingest", lambda source, dest, options, progress: asked.append(options) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evoray("data", "ingest", "a", "b", "--workers", 1)
    assert asked == [module.Options(workers=1)]


def test_an_option_that_is_wrong_is_an_error_of_usage(evoray, tmp_path):
    with pytest.raises(ConfigError, match="--resize large"):
        evoray("data", "ingest", tmp_path, tmp_path / "shards", "--resize", "large", "--workers", 1)
    evoray("data", "ingest", tmp_path, tmp_path / "shards", "--workers", 0, code=2)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_verify_tells_whole_from_damaged(scheme, evoray, shards):
    place = f"{scheme}{shards}"
    assert evoray("data", "verify", place) == f"23 images in 3 shards, all whole: {place}\n"
    (shards / "shard-00001.arrow").write_bytes(b"x")
    assert evoray("data", "verify", place, code=2) == f"23 images in 3 shards, 1 damaged: {place}\n"
    found = json.loads(evoray("data", "verify", place, "--json", code=2))
    assert (found["rows"], found["shards"]) == (23, 3) and "shard-00001.arrow: damaged" in found["damaged"][0]


def test_show_prints_what_is_held(evoray, shards):
    manifest = Manifest.read(shards)
    shown = evoray("data", "show", shards)
    for words in ("23 of 1x8x8", "2: 0, 1", "3, 0.0 MB", manifest.decoder, manifest.digest):
        assert words in shown
    assert json.loads(evoray("data", "show", shards, "--json")) == manifest.model_dump(mode="json")


def test_show_of_many_classes_and_hostile_names(evoray, tmp_path):
    class Records(list):
        classes = ("[red]a[/red]", "[/b]", *"cdefgh")

    ingest_dataset(Records(grey_records(8)), tmp_path / "shards", GREY)
    assert "8: [red]a[/red], [/b], c, d, e, f, …" in evoray("data", "show", tmp_path / "shards")


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_directory_without_shards_is_named(command, evoray, tmp_path):
    with pytest.raises(DataError, match=r"no manifest\.json in it"):
        evoray("data", command, tmp_path)


def test_show_does_not_steer_the_terminal(evoray, tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.ingest.ingest.check_classes", lambda classes: None)  # as before such names were refused

    class Records(list):
        classes = ("a\x1b[2J", "b\nc")

    ingest_dataset(Records(grey_records(2)), tmp_path / "shards", GREY)
    assert r"2: a\x1b[2J, b\x0ac" in evoray("data", "show", tmp_path / "shards")


def test_what_a_directory_holds_is_never_cut(evoray, shards):
    narrow, wide = (set(evoray("data", "show", shards, columns=columns).split()) for columns in (80, 400))
    assert narrow == wide and not any("…" in word for word in narrow)

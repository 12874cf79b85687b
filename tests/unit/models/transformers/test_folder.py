"""A parent's folder: where it is looked for."""

from __future__ import annotations

import sys

import pytest
import tiny_language

from evoray.config import ParentConfig
from evoray.errors import ConfigError, ModelError
from evoray.ingest.records.texts import reader_for
from evoray.models import load_parent
from evoray.models.transformers.folder import find_folder


def find(name, base=None, **values):
    return find_folder(ParentConfig(source="transformers", name=name, **values), base)


def test_a_folder_beside_the_configuration_or_at_home(tmp_path, monkeypatch):
    (tmp_path / "net").mkdir()
    assert find("net", tmp_path) == tmp_path / "net"
    assert find("./net", tmp_path).samefile(tmp_path / "net")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("~/net") == tmp_path / "net"


@pytest.mark.parametrize("name", ["/nowhere/net", "./net", "../net", "a/b/c", "~/none", "two words", "a\0b"])
def test_what_can_only_be_a_folder(tmp_path, name):
    with pytest.raises(ConfigError, match=r"no such folder\. Name one as save_pretrained writes it"):
        find(name, tmp_path)


@pytest.mark.parametrize("name", ["owner/net", "net"])
def test_what_may_be_on_the_hub_is_not_fetched_unasked(tmp_path, monkeypatch, name):
    asked = []

    def fetch(name, **how):
        asked.append(how.get("local_files_only", False))
        raise OSError("not here")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    with pytest.raises(ConfigError, match=r"nothing is downloaded unasked.*parent\.download = true"):
        find(name, tmp_path)
    assert asked == [True]


def test_a_hub_that_does_not_answer_is_named_with_the_key_and_what_to_do(tmp_path, monkeypatch):
    def fetch(name, **how):
        raise ConnectionError("Max retries exceeded\nwith url: /api/models/owner/net")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    words = (
        r'parent.name = "owner/net": .*parent\.download = true.*the Hub of Hugging Face either \(Max retries exceeded'
    )
    with pytest.raises(ModelError, match=words) as refused:
        find("owner/net", tmp_path, download=True)
    assert "hf download NAME --local-dir FOLDER" in str(refused.value) and "\n" not in str(refused.value)


def test_without_transformers_a_name_on_the_hub_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r'pip install "evoray\[transformers\]"'):
        find("owner/net", tmp_path)


def test_a_parent_of_the_hub_is_loaded_and_reads_texts(tmp_path, monkeypatch):
    """As if the Hub had answered: the folder that it would leave in its cache."""
    folder, asked = tiny_language.saved(tmp_path / "cache" / "net"), []

    def fetch(name, *, allow_patterns, local_files_only=False):
        asked.append((name, local_files_only))
        if local_files_only and len(asked) == 1:
            raise OSError("not here")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    config = ParentConfig(source="transformers", name="owner/net", download=True)
    parent = load_parent(config)
    assert asked == [("owner/net", True), ("owner/net", False)]
    assert parent.name == "net" and parent.classes == ("bad", "good") and parent.tokenizer == str(folder)
    run = tiny_language.run_file(tmp_path / "run.toml", "owner/net", "text-classification", download=True)
    assert reader_for(run, False, "text-classification").folder == folder
    assert asked[2:] == [("owner/net", True)]  # once it is there, nobody asks the Hub


def test_what_is_on_the_hub_is_fetched_without_pickles_and_code(tmp_path, monkeypatch):
    def fetch(name, *, allow_patterns, local_files_only=False):
        assert not {"*.bin", "*.py", "*"} & set(allow_patterns)
        if local_files_only:
            raise OSError("not here")
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert find("owner/net", download=True) == tmp_path

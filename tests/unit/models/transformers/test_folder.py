"""A parent's folder: where it is looked for."""

from __future__ import annotations

import pytest

from evoray.config import ParentConfig
from evoray.errors import ConfigError
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


def test_what_is_on_the_hub_is_fetched_without_pickles_and_code(tmp_path, monkeypatch):
    def fetch(name, *, allow_patterns, local_files_only=False):
        assert not {"*.bin", "*.py", "*"} & set(allow_patterns)
        if local_files_only:
            raise OSError("not here")
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert find("owner/net", download=True) == tmp_path

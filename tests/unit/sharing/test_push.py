"""No test sends anything: the Hub's client is one that takes notes."""

from __future__ import annotations

from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants

from evoray.errors import RunError, UsageError
from evoray.sharing import push as module


class Repository(str):
    repo_id = "me/net"


class Hub:
    def __init__(self, public=False, fails=None):
        self.public, self.fails, self.calls = public, fails, []

    def create_repo(self, name, **how):
        self.calls.append(("create", name, how["private"], how["exist_ok"]))
        if self.fails == "create":
            raise ConnectionError("Name or service not known\nand more")
        return Repository("https://hub/me/net")

    def repo_info(self, name, **how):
        return SimpleNamespace(private=not self.public)

    def upload_folder(self, *, repo_id, folder_path, **how):
        if self.fails == "upload":
            raise OSError("disconnected")
        self.calls.append(("upload", repo_id, folder_path.name))


@pytest.mark.parametrize(("public", "name"), [(False, "net"), (True, "me/net")])
def test_a_folder_goes_to_a_repository_that_is_private_unless_said(tmp_path, public, name):
    api = Hub(public=public)
    assert module.push(api, tmp_path / "folder", name, public) == "https://hub/me/net"
    assert api.calls == [("create", name, not public, True), ("upload", "me/net", "folder")]


def test_one_that_is_public_already_gets_nothing_unasked(tmp_path):
    api = Hub(public=True)
    with pytest.raises(UsageError, match=r"is public\. Add --public"):
        module.push(api, tmp_path, "me/net", False)
    assert [one[0] for one in api.calls] == ["create"]


@pytest.mark.parametrize("fails", ["create", "upload"])
def test_without_a_network_there_is_one_message(tmp_path, fails):
    with pytest.raises(RunError, match=r"could not be sent .*The folder is written: .*hf upload me/net") as caught:
        module.push(Hub(fails=fails), tmp_path, "me/net", False)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 1


@pytest.mark.parametrize("name", ["", "a/b/c", "me/net .", "--x", "a" * 200])
def test_a_name_that_none_may_have_is_refused_before_anything_is_sent(name):
    with pytest.raises(UsageError, match="no name of a repository"):
        module.hub(name)


def test_offline_the_hubs_own_client_ends_in_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    try:
        with pytest.raises(RunError, match="could not be sent"):
            module.push(module.hub("me/net"), tmp_path, "me/net", False)
    finally:
        huggingface_hub.close_session()

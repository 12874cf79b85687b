from __future__ import annotations

import pytest

from evoray.commands.serve import _gpus, _token
from evoray.errors import UsageError


def test_a_token_is_made_anew_each_time():
    made = {_token(None, False, "127.0.0.1") for _ in range(3)}
    assert len(made) == 3 and all(len(one) >= 24 for one in made)


def test_a_token_that_is_given_is_taken():
    assert _token("my-own-token", False, "0.0.0.0") == "my-own-token"


@pytest.mark.parametrize("token", ["", "short", "with a blank", "naïve-token", "line\nbreak-token"])
def test_a_token_that_cannot_be_sent_is_refused(token):
    with pytest.raises(UsageError, match="--token"):
        _token(token, False, "127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_no_token_is_for_this_machine(host):
    assert _token(None, True, host) is None


@pytest.mark.parametrize(
    ("token", "host", "said"),
    [(None, "0.0.0.0", "--host"), (None, "::", "--host"), ("my-own-token", "127.0.0.1", "do not go together")],
)
def test_no_token_is_for_nothing_else(token, host, said):
    with pytest.raises(UsageError, match=said):
        _token(token, True, host)


@pytest.mark.parametrize("device", ["gpu", "cuda:9", ""])
def test_a_device_that_is_not_known(device):
    with pytest.raises(UsageError, match="give cpu or cuda"):
        _gpus(device)


def test_a_run_that_is_not_there(evoray, tmp_path):
    with pytest.raises(UsageError, match="Name a run directory"):
        evoray("serve", tmp_path / "none")


def test_gpus_are_counted(monkeypatch):
    assert _gpus("cpu") == 0
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert _gpus("cuda") == 2
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU here"):
        _gpus("cuda")

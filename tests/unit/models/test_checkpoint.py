from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from evoray.errors import ModelError
from evoray.models import load_into, parse_state, read_state, state_bytes, write_state


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.safetensors", b"nonsense", "damaged"),
        ("a.pth", b"nonsense", "not a checkpoint"),
        ("a.bin", b"", "empty"),
        ("absent.pth", None, "no such file"),
    ],
)
def test_a_bad_checkpoint_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        read_state(tmp_path / name)
    assert name in str(caught.value)


def test_a_checkpoint_that_does_not_fit_lists_why(tmp_path):
    with pytest.raises(ModelError, match=r"missing bias; unexpected extra; weight is \(2, 4\)"):
        load_into(nn.Linear(4, 3), {"weight": torch.zeros(2, 4), "extra": torch.zeros(1)}, "file")


STATE = {"weight": torch.arange(12.0).view(3, 4), "steps": torch.tensor(7), "half": torch.ones(2, dtype=torch.bfloat16)}


def equal(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) and found[name].dtype == expected[name].dtype for name in expected
    )


def test_what_is_written_is_read_back_to_the_bit(tmp_path):
    write_state(tmp_path / "a.safetensors", STATE)
    assert equal(read_state(tmp_path / "a.safetensors"), STATE)
    assert equal(parse_state(state_bytes(STATE), "memory"), STATE)


def test_the_same_state_gives_the_same_bytes():
    assert state_bytes(STATE) == state_bytes(dict(reversed(STATE.items())))


def test_a_transposed_tensor_is_written_as_it_reads():
    turned = {"weight": STATE["weight"].T}
    assert equal(parse_state(state_bytes(turned), "memory"), {"weight": turned["weight"].contiguous()})


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "epoch": 3},
                                  lambda state: {"model": state}])  # fmt: skip
def test_pytorchs_usual_wrappings_are_looked_into(wrap, suffix, tmp_path):
    torch.save(wrap(STATE), tmp_path / f"a{suffix}")
    assert equal(read_state(tmp_path / f"a{suffix}"), STATE)


class Hostile:
    def __reduce__(self):
        return os.mkdir, (os.environ["HOSTILE"],)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTILE", str(tmp_path / "made"))
    torch.save({"weight": Hostile()}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"a\.pth: refused, it holds more than tensors and could run code"):
        read_state(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(1)], {"state_dict": {}}])
def test_a_file_without_a_state_is_named(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"a\.pth: holds no state_dict\. Save model\.state_dict\(\)"):
        read_state(tmp_path / "a.pth")


def test_a_safetensors_file_cut_anywhere_is_named(tmp_path):
    whole = state_bytes(STATE)
    for length in range(0, len(whole), 7):
        with pytest.raises(ModelError, match=r"^origin: not a \.safetensors file, or damaged"):
            parse_state(whole[:length], "origin")


def test_a_folder_that_is_not_there_is_named_and_nothing_stays(tmp_path):
    with pytest.raises(ModelError, match=r"a\.safetensors: cannot be written"):
        write_state(tmp_path / "absent" / "a.safetensors", STATE)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_fits_is_loaded_whole():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    state = {name: torch.full_like(tensor, 2) for name, tensor in model.state_dict().items()}
    load_into(model, state, "file")
    assert equal(model.state_dict(), state)


def test_of_many_problems_the_first_five_are_said():
    with pytest.raises(
        ModelError, match=r"^file: does not fit the model: missing 0\.weight;.* and 3 more\. Name the arch"
    ):
        load_into(nn.Sequential(*(nn.Linear(1, 1) for _ in range(4))), {}, "file")

from __future__ import annotations

import numpy as np
import pytest
import tiny_onnx
import torch
from onnx import numpy_helper
from torch import nn

from evoray.errors import ConfigError, ModelError
from evoray.models import canonical_state, write_state
from evoray.models.checkpoints.others import identity_of, said_of, with_checkpoints
from evoray.models.onnx.file import read_onnx, with_integers
from evoray.mutation import Space


class Net(nn.Module):
    """A tied head, and BatchNorm's buffers."""

    def __init__(self, width=4, classes=3):
        super().__init__()
        self.first = nn.Linear(2, width)
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, classes)
        self.tied = self.head


def net(seed, **sizes):
    torch.manual_seed(seed)
    return Net(**sizes)


PARENT = net(0)
STATE, ALIASES = canonical_state(PARENT)
PARAMETERS = [name for name, _ in PARENT.named_parameters()]
SPACE = Space.from_state(STATE, PARAMETERS, "rms")


def read(tmp_path, *contents, **keys):
    names = [f"{number}.pth" for number in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        torch.save(content, tmp_path / name)
    return with_checkpoints(SPACE, names, STATE, ALIASES, tmp_path, **keys)


@pytest.mark.parametrize(
    "wrap",
    [
        dict,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {f"module.{name}": one for name, one in state.items()},
        lambda state: {name: one for name, one in state.items() if not name.startswith("tied")},
        lambda state: {name: one.double() for name, one in state.items()},
        lambda state: {name: one for name, one in state.items() if "tracked" not in name},
    ],
)
def test_a_checkpoint_is_understood_as_the_parents_own_is(tmp_path, wrap):
    other = net(1)
    space = read(tmp_path, wrap(other.state_dict()))
    expected = SPACE.flatten(canonical_state(other)[0]) - SPACE.flatten(STATE)
    assert space.towards.tobytes() == expected.tobytes()
    assert space.sha256 == read(tmp_path, other.state_dict()).sha256 != SPACE.sha256


def test_the_parents_key_is_looked_under_first(tmp_path):
    ema, raw = net(1).state_dict(), net(2).state_dict()
    space = read(tmp_path, {"ours": ema, "theirs": raw}, raw, weights_key="ours")
    assert space.towards[0].tobytes() == read(tmp_path, ema).towards.tobytes()


def test_safetensors_and_several(tmp_path):
    for seed in (1, 2):
        write_state(tmp_path / f"{seed}.safetensors", canonical_state(net(seed))[0])
    space = with_checkpoints(SPACE, ["1.safetensors", "2.safetensors"], STATE, ALIASES, tmp_path)
    assert space.towards.shape == (2, SPACE.n) and space.towards.dtype == np.float32
    assert identity_of(space) == {"checkpoints": {"1": space.others[0], "2": space.others[1]}}
    assert "2 checkpoints" in said_of(space)[0] and "MiB" in said_of(space)[0]


def test_without_files_nothing_is_said_or_changed():
    assert with_checkpoints(SPACE, (), STATE, ALIASES) is SPACE
    assert (identity_of(SPACE), said_of(SPACE)) == ({}, ())


def changed(**tensors):
    state = net(1).state_dict()
    return {name: one for name, one in {**state, **tensors}.items() if one is not None}


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (changed(**{"first.weight": None}), ModelError, ["missing first.weight", "parent's own architecture"]),
        (changed(**{"third.weight": torch.ones(3)}), ModelError, ["unexpected third.weight"]),
        (changed(**{"first.weight": torch.ones(2, 4)}), ModelError, ["first.weight is (2, 4)", "(4, 2)"]),
        (net(1, classes=5).state_dict(), ModelError, ["head.weight is (5, 4)", "head"]),
        (net(1, width=5).state_dict(), ModelError, ["first.weight is (5, 2)"]),
        (changed(**{"first.bias": torch.full((4,), torch.nan)}), ModelError, ["first.bias", "NaN"]),
        (changed(**{"first.bias": torch.full((4,), 3e38)}), None, []),
        ({**STATE, **{alias: STATE[name] for alias, name in ALIASES.items()}}, ConfigError, ["the parent's own"]),
        ({"epoch": 3}, ModelError, ["no state_dict"]),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, content, error, words):
    if error is None:
        assert np.isfinite(read(tmp_path, content).towards).all()
        return
    with pytest.raises(error) as raised:
        read(tmp_path, content)
    assert all(word in str(raised.value) for word in ["mutation.towards", "0.pth", *words])


def test_the_same_weights_twice_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"1\.pth holds the weights of 0\.pth again"):
        read(tmp_path, net(1).state_dict(), {"state_dict": net(1).state_dict()})


@pytest.mark.parametrize("name", ["none.pth", "a\0b", ""])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises((ConfigError, ModelError), match=r"mutation\.towards"):
        with_checkpoints(SPACE, [name], STATE, ALIASES, tmp_path)


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "0.pth").write_bytes(b"words")
    with pytest.raises(ModelError, match=r"mutation\.towards: .*0\.pth"):
        with_checkpoints(SPACE, ["0.pth"], STATE, ALIASES, tmp_path)


def renamed(made):
    """The same network from another hand."""
    made.producer_version = "another"
    for number, node in enumerate(made.graph.node):
        node.name, node.doc_string = f"n{number}", "words"
    for one in made.graph.initializer:
        one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one), one.name))
    return made


def with_more(made, name, by):
    (one,) = [one for one in made.graph.initializer if one.name == name]
    one.CopyFrom(
        numpy_helper.from_array((numpy_helper.to_array(one) + by).astype(numpy_helper.to_array(one).dtype), name)
    )
    return made


def with_bias(made):
    (one,) = [one for one in made.graph.initializer if one.name == "head.bias"]
    one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one) + np.int32(3), one.name))
    return with_more(made, "head.weight", -1)


def towards_graph(tmp_path, other):
    state = with_integers(read_onnx(tiny_onnx.saved(tmp_path / "parent.onnx", tiny_onnx.quantized())))
    path = tiny_onnx.saved(tmp_path / "other.onnx", other)
    names = [name for name, values in state.items() if values.dtype == torch.int8]
    return with_checkpoints(Space.from_state(state, names, "rms"), [str(path)], state, {})


def test_a_graph_from_another_hand_is_the_same_graph(tmp_path):
    space = towards_graph(tmp_path, with_more(renamed(tiny_onnx.quantized()), "head.weight", -1))
    assert set(np.unique(space.towards)) == {-1.0, 0.0}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda: with_more(with_more(tiny_onnx.quantized(), "head.weight", -1), "p.zero", 1), "its p.zero are not"),
        (lambda: with_bias(tiny_onnx.quantized()), "its head.bias are"),
        (lambda: tiny_onnx.images(), "its operations are not the parent's"),
    ],
)
def test_what_would_stay_the_parents_is_refused(tmp_path, changed, said):
    with pytest.raises(ModelError, match=said):
        towards_graph(tmp_path, changed())

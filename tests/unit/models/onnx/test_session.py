"""Weights as inputs: the memory that is written is what runs, and an export alone gives the same bits."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_onnx
import torch

from evoray.evaluation.host import ModelHost
from evoray.evaluation.probe import probe
from evoray.models import canonical_state, mutable_names, write_state
from evoray.models.onnx.file import GRAPH, read_onnx, with_integers
from evoray.models.onnx.network import OnnxNetwork
from evoray.models.onnx.session import constants_of
from evoray.mutation import Entry, Mutation, Space

TOKENS = np.array([[1, 5, 7, 2], [4, 9, 3, 8]])
INPUTS = {
    "images": {"image": np.random.default_rng(1).normal(size=(3, 1, 12, 12)).astype(np.float32)},
    "quantized": {"image": np.random.default_rng(1).normal(size=(3, 1, 12, 12)).astype(np.float32)},
    "texts": {"input_ids": TOKENS, "attention_mask": np.ones_like(TOKENS)},
    "dynamic": {"x": np.random.default_rng(3).normal(size=(1, 6)).astype(np.float32)},
    "numbers_in": {"x": np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)},
}


def network(tmp_path, kind, **how):
    path = tiny_onnx.saved(tmp_path / f"{kind}.onnx", getattr(tiny_onnx, kind)(**how))
    state = read_onnx(path)
    output = {"numbers_in": "y", "dynamic": "y"}.get(kind, "logits")
    return OnnxNetwork(state, output, path.name), path


def hosted(made):
    state, _ = canonical_state(made)
    space = Space.from_state(state, mutable_names(made, ["*"], []), "rms")
    return ModelHost(made, space, "cpu"), state


def answer(host, kind):
    given = {name: torch.from_numpy(one) for name, one in INPUTS[kind].items()}
    return (host.forward(**given) if kind == "texts" else host.forward(*given.values())).numpy().copy()


@pytest.mark.parametrize("kind", INPUTS)
def test_the_parent_answers_as_onnxruntime_alone(tmp_path, kind):
    made, path = network(tmp_path, kind)
    host, _ = hosted(made)
    np.testing.assert_allclose(answer(host, kind), tiny_onnx.run_alone(path, **INPUTS[kind]), atol=1e-6)


@pytest.mark.parametrize("kind", INPUTS)
def test_an_export_gives_a_childs_bits_in_onnxruntime_alone(tmp_path, kind):
    host, state = hosted(network(tmp_path, kind)[0])
    parent = answer(host, kind)
    with host.child(probe(0.2)):
        child, weights = answer(host, kind), host.tensors()
    assert not np.array_equal(parent, child)
    write_state(tmp_path / "child.onnx", {**state, **weights})
    assert np.array_equal(tiny_onnx.run_alone(tmp_path / "child.onnx", **INPUTS[kind]), child)


@pytest.mark.parametrize("kind", INPUTS)
def test_children_are_the_same_after_a_thousand_writes(tmp_path, kind):
    host, _ = hosted(network(tmp_path, kind)[0])
    parent = answer(host, kind)
    with host.child(probe(0.2)):
        child = answer(host, kind)
    for number in range(1000):
        host.apply(probe(0.001 * (1 + number % 7)))
        host.undo()
    assert np.array_equal(answer(host, kind), parent)
    with host.child(probe(0.2)):
        assert np.array_equal(answer(host, kind), child)


def test_scales_of_fused_operations_are_constants_of_exports(tmp_path):
    made, _ = network(tmp_path, "quantized")
    weights = {name: one for name, one in made.state_dict().items() if name != GRAPH}
    assert constants_of(made._model(), weights) == weights.keys()
    assert "image.scale" in weights and "head.bias.scale" not in weights


def test_a_pass_copies_no_weights(tmp_path):
    """They are read where they lie: a write that nobody announces is what runs next."""
    made, _ = network(tmp_path, "numbers_in")
    given = torch.from_numpy(INPUTS["numbers_in"]["x"])
    before = made(given)
    made.state_dict()["w"].mul_(2)
    assert not torch.equal(made(given), before)


@pytest.mark.parametrize("kind", ["quantized", "dynamic", "texts"])
def test_integer_weights_are_written_where_they_run(tmp_path, kind):
    """The parent is onnxruntime's own, children come back after a thousand writes, and their files hold int8."""
    path = tiny_onnx.saved(tmp_path / "net.onnx", getattr(tiny_onnx, kind)())
    made = OnnxNetwork(with_integers(read_onnx(path)), "y" if kind == "dynamic" else "logits", path.name)
    host, state = hosted(made)
    parent = answer(host, kind)
    assert host.space.format == 4 and np.array_equal(parent, tiny_onnx.run_alone(path, **INPUTS[kind]))
    tail = [Entry(1.0, Mutation(mask_seed=1, parts=2, part=1, noise_seed=2, sigma=0.1))]
    with host.child(tail):
        child, weights = answer(host, kind), host.tensors()
    assert any(not torch.equal(weights[name], state[name]) for name in made.integers)
    for number in range(1000):
        host.apply([tail[0]._replace(weight=1.0 + number % 5)])
        host.undo()
    assert np.array_equal(answer(host, kind), parent)
    with host.child(tail):
        assert np.array_equal(answer(host, kind), child) and not np.array_equal(child, parent)
    write_state(tmp_path / "child.onnx", {**state, **weights})
    again = with_integers(read_onnx(tmp_path / "child.onnx"))
    assert all(again[name].dtype == torch.int8 and torch.equal(again[name], weights[name]) for name in made.integers)
    assert np.array_equal(tiny_onnx.run_alone(tmp_path / "child.onnx", **INPUTS[kind]), child)

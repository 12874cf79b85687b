"""The module around a session: a state_dict by the file's names, copies, and what it says where it fails."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import tiny_onnx
import torch
from onnx import helper

from evoray.errors import ModelError
from evoray.evaluation.packing import travelled
from evoray.models.onnx.file import GRAPH, apart
from evoray.models.onnx.network import OnnxNetwork

IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 1, 12, 12)).astype(np.float32))


def network(made=None, output="logits"):
    return OnnxNetwork(apart(made or tiny_onnx.images()), output, "net.onnx").eval()


def test_names_are_the_files_and_a_state_is_loaded_by_them():
    made, other = network(), network(tiny_onnx.images(seed=1))
    assert set(made.state_dict()) == {"features.0.weight", "features.0.bias", "head.weight", "head.bias", GRAPH}
    assert not torch.equal(made(IMAGES), other(IMAGES))
    made.load_state_dict(other.state_dict())
    assert torch.equal(made(IMAGES), other(IMAGES))
    state = made.state_dict()
    for wrong, said in (({"more": torch.ones(1)}, "Unexpected"), ({"head.bias": torch.ones(9)}, "another network")):
        with pytest.raises(RuntimeError, match=said):
            made.load_state_dict({**state, **wrong})
    with pytest.raises(RuntimeError, match="Missing"):
        made.load_state_dict({name: one for name, one in state.items() if name != "head.bias"})
    with pytest.raises(RuntimeError, match="another network"):
        made.load_state_dict(network(tiny_onnx.images(last=("Softmax",))).state_dict())


@pytest.mark.parametrize("copied", [copy.deepcopy, travelled, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_are_networks_of_their_own(copied):
    made = network()
    before = made(IMAGES)
    other = copied(made)
    assert torch.equal(other(IMAGES), before)
    other.state_dict()["head.bias"].add_(1)
    assert torch.equal(made(IMAGES), before) and not torch.equal(other(IMAGES), before)


def test_weights_that_move_are_followed():
    made = network()
    before = made(IMAGES)
    for parameter in made.parameters():
        parameter.data = parameter.data.clone() * 2
    assert not torch.equal(made(IMAGES), before)


def test_a_second_one_is_what_a_user_has_of_an_export():
    made, fresh = network(tiny_onnx.quantized()), network(tiny_onnx.quantized())
    fresh.like(made)
    assert fresh.exported and torch.equal(fresh(IMAGES), made(IMAGES))
    for one in (made, fresh):
        one.state_dict()["head.weight.scale"].mul_(1.5)
    assert torch.equal(fresh(IMAGES), made(IMAGES))


def test_half_precision_is_cast_in_every_pass():
    made = network(tiny_onnx.images(dtype=np.float16))
    single = network(tiny_onnx.images())
    expected = single(IMAGES)
    found = made._apply(lambda one: one.float() if one.is_floating_point() else one)(IMAGES)
    assert found.dtype == torch.float16 and torch.allclose(found.float(), expected, atol=0.02)
    made.state_dict()["head.bias"].add_(1)
    assert torch.allclose(made(IMAGES).float(), expected + 1, atol=0.02)


def test_records_of_a_dynamic_network_do_not_know_each_other():
    made = network(tiny_onnx.dynamic(), "y")
    numbers = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([made(one[None]) for one in numbers])
    numbers[0] *= 100
    assert torch.equal(made(numbers)[1:], alone[1:])


def test_the_order_of_use_and_what_comes_before_probabilities():
    assert network().order() == ["features.0.weight", "features.0.bias", "head.weight", "head.bias"]
    assert network(output="f").order() == ["features.0.weight", "features.0.bias"]
    assert network().before_probabilities() is None
    assert network(tiny_onnx.images(last=("Softmax",)), "last0").before_probabilities() == "logits"


def test_an_operation_that_onnxruntime_does_not_know():
    made = tiny_onnx.numbers_in()
    made.graph.node.append(helper.make_node("Fancy", ["y"], ["z"], domain="my.own"))
    made.opset_import.append(helper.make_opsetid("my.own", 1))
    made.graph.output[0].name = "z"
    with pytest.raises(ModelError, match=r"net.onnx: onnxruntime cannot build it .*does not know"):
        network(made, "z").ready()


def test_an_opset_that_is_too_new():
    with pytest.raises(ModelError, match="Install a newer onnxruntime, or export the network for an older opset"):
        network(tiny_onnx.model_of(
            [helper.make_node("Gemm", ["x", "w"], ["y"])], [("x", 1, ["n", 2])], [("y", 1, ["n", 2])],
            {"w": np.ones((2, 2), np.float32)}, opset=99), "y").ready()  # fmt: skip


def test_a_pass_that_fails_says_with_what():
    made = tiny_onnx.images()
    made.graph.node[3].op_type = "Reshape"
    made.graph.node[3].input.append("shape")
    made.graph.initializer.append(helper.make_tensor("shape", 7, [2], [2, 8]))
    broken = network(made)
    assert broken(IMAGES[:2]).shape == (2, 4)
    with pytest.raises(ModelError, match=r"cannot run it on image \[3, 1, 12, 12\].*open first side"):
        broken(IMAGES)

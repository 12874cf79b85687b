"""What of a graph may be mutated, and what is the form of its computation."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from evoray.models.onnx.file import apart, graph_of
from evoray.models.onnx.graph import (
    before,
    cut,
    first_used,
    operations,
    proto_of,
    put_together,
    scales,
    taken_apart,
    tensor_of,
)

FLOAT = TensorProto.FLOAT
LISTED = numpy_helper.from_array(np.ones((3, 2), np.float32))


def names(made):
    return sorted(name for name in apart(made) if name != "onnx.graph")


def graph(*nodes, **values):
    made = [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes]
    return tiny_onnx.model_of(made, [("x", FLOAT, None)], [(made[-1].output[0], FLOAT, None)], values)


def ones(*shape):
    return np.ones(shape, np.float32)


def test_weights_of_floats_and_scales_of_integers():
    assert names(tiny_onnx.images()) == ["features.0.bias", "features.0.weight", "head.bias", "head.weight"]
    of = ["features.0.weight.scale", "head.weight.scale", "image.scale", "logits.scale", "p.scale", "r.scale"]
    assert names(tiny_onnx.quantized()) == of
    assert names(tiny_onnx.dynamic()) == ["bias", "w.scale"]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (graph(("Mul", ["x", "half"], ["y"]), half=np.float32(0.5)), []),
        (graph(("Add", ["x", "mask"], ["y"]), mask=np.array([0, -np.inf], np.float32)), []),
        (graph(("Clip", ["x", "low", "high"], ["y"]), low=np.float32(0), high=np.float32(6)), []),
        (graph(("Resize", ["x", "", "sides"], ["y"]), sides=ones(4)), []),
        (graph(("BatchNormalization", ["x", *"gbmv"], ["y"]), **dict.fromkeys("gbmv", ones(2))), ["b", "g"]),
        (graph(("Gemm", ["x", "w", "b"], ["y"]), w=ones(3, 1), b=ones(1)), ["b", "w"]),
        (graph(("MatMul", ["x", "w"], ["y"]), w=ones(3, 2), unused=ones(4)), ["w"]),
        (graph(("Constant", [], ["w"], {"value": LISTED}), ("MatMul", ["x", "w"], ["y"])), ["w"]),
        (graph(("Identity", ["x"], ["y"]), w=np.ones((2, 2), np.int8)), []),
    ],
)  # fmt: skip
def test_what_is_a_weight(made, found):
    assert names(made) == found


def test_apart_and_together_is_the_same_network():
    for make in (tiny_onnx.images, tiny_onnx.texts, tiny_onnx.dynamic):
        made, again = make(), make()
        weights = taken_apart(again)
        put_together(again, weights, weights)
        as_arrays = [
            {one.name: numpy_helper.to_array(one).tolist() for one in g.graph.initializer} for g in (made, again)
        ]
        assert as_arrays[0] == as_arrays[1] and list(made.graph.node) == list(again.graph.node)


def test_weights_that_are_no_constants_have_a_value_that_may_be_given():
    made = tiny_onnx.images()
    weights = taken_apart(made)
    put_together(made, weights, {"head.bias"})
    assert {one.name for one in made.graph.input} == {"image", *weights} - {"head.bias"}
    assert {one.name for one in made.graph.initializer} == weights.keys()


def test_integer_biases_follow_the_scales_of_what_they_are_added_to():
    made = tiny_onnx.quantized()
    weights = taken_apart(made)
    weights = {name: one * (2 if name == "image.scale" else 3) for name, one in weights.items()}
    own = {one.name: tensor_of(one) for one in made.graph.initializer if one.data_type == FLOAT}
    put_together(made, weights, weights)
    now = {one.name: tensor_of(one) for one in made.graph.initializer if one.data_type == FLOAT}
    assert torch.allclose(now["features.0.bias.scale"], own["features.0.bias.scale"] * 6)
    assert torch.allclose(now["head.bias.scale"], own["head.bias.scale"] * 9)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_tensors_come_back_as_they_were(kind, shape):
    values = torch.randn(shape).to(kind)
    assert torch.equal(tensor_of(proto_of("w", values)), values)
    assert tensor_of(proto_of("w", values)).dtype == kind


def test_numbers_that_are_written_out_are_read():
    listed = helper.make_tensor("w", FLOAT, [2], [1.5, 2.5])
    assert tensor_of(listed).tolist() == [1.5, 2.5]


def test_a_value_inside_becomes_the_answer():
    made = graph_of(apart(tiny_onnx.images(last=("Identity", "Softmax")))["onnx.graph"])
    assert before(made.graph, "last1", ("Softmax",)) == "last0" and before(made.graph, "p", ("Softmax",)) is None
    cut(made.graph, "logits")
    assert operations(made.graph) == {"Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"}
    assert [one.name for one in made.graph.output] == ["logits"]
    assert first_used(made.graph)[:3] == ["image", "features.0.weight", "features.0.bias"]
    with pytest.raises(KeyError):
        cut(made.graph, "nothing")


def test_scales_that_are_used_otherwise_are_weights_like_others():
    made = graph(
        ("QuantizeLinear", ["x", "s", "z"], ["q"]),
        ("DequantizeLinear", ["q", "s", "z"], ["d"]),
        ("Mul", ["d", "s"], ["y"]),
        s=np.float32(0.1),
        z=np.uint8(0),
    )
    assert taken_apart(made).keys() == {"s"} and scales(made.graph) == set()

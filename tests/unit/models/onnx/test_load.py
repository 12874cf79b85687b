"""From a configuration to a parent: which output, what is said, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tiny_language
import tiny_onnx
from onnx import TensorProto, helper

from evoray.config import ParentConfig, parse_config
from evoray.errors import ConfigError, UsageError
from evoray.models import load_parent, parent_preprocessing

FLOAT = TensorProto.FLOAT


def parent(tmp_path, made, **keys):
    path = tiny_onnx.saved(tmp_path / "net.onnx", made)
    return load_parent(ParentConfig(source="onnx", name=str(path), **keys))


def with_outputs(*names):
    nodes = [helper.make_node("Mul", ["x", "w"], [name]) for name in names]
    outputs = [(name, FLOAT, ["n", 3]) for name in names]
    return tiny_onnx.model_of(nodes, [("x", FLOAT, ["n", 3])], outputs, {"w": np.ones(3, np.float32)})


@pytest.mark.parametrize(
    ("names", "keys", "output", "said"),
    [
        (("y",), {}, "y", None),
        (("hidden", "logits"), {}, "logits", "logits is the answer, not hidden"),
        (("a", "b"), {}, "a", r"a is the answer, not b \(parent.output\)"),
        (("a", "b"), {"output": "b"}, "b", None),
    ],
)
def test_which_output_is_the_answer(tmp_path, names, keys, output, said):
    found = parent(tmp_path, with_outputs(*names), **keys)
    assert found.model.output == output and found.name == "net"
    notes = [one for one in found.notes if "is the answer" in one]
    assert bool(notes) == (said is not None)
    if said is not None:
        assert len(notes) == 1 and re.search(said, notes[0])


def test_a_value_inside_may_be_the_answer(tmp_path):
    found = parent(tmp_path, tiny_onnx.images(last=("Softmax",)), output="f")
    assert found.model.output == "f"
    with pytest.raises(ConfigError, match=r'parent.output = "g": no value.*Its outputs are last0'):
        parent(tmp_path, tiny_onnx.images(last=("Softmax",)), output="g")


def whole_numbers(sides):
    """Of images of bytes, normalised inside."""
    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=FLOAT),
        helper.make_node("ReduceMean", ["f"], ["m"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["logits"]),
    ]
    values = {"w": np.ones((3, 2), np.float32)}
    return tiny_onnx.model_of(nodes, [("image", TensorProto.UINT8, sides)], [("logits", FLOAT, ["n", 2])], values)


@pytest.mark.parametrize("kind", ["INT4", "UINT4", "INT16", "UINT16"])
def test_weights_of_other_whole_numbers_are_named_where_they_are_to_be_changed(tmp_path, kind):
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["whole"]),
        helper.make_node("MatMul", ["x", "whole"], ["logits"]),
    ]
    made = tiny_onnx.model_of(
        nodes, [("x", FLOAT, ["n", 3])], [("logits", FLOAT, ["n", 2])], {"s": np.ones((), np.float32)}, opset=21
    )
    made.graph.initializer.append(helper.make_tensor("w", getattr(TensorProto, kind), [3, 2], [1, 2, 3, 4, 5, 6]))
    with pytest.raises(ConfigError, match=rf"net\.onnx: w is {kind.lower()}, and weights of int8.*Quantize .* to int8"):
        parent(tmp_path, made, integers="rounded")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tiny_onnx.images(), "36 floating|floating weights and scales may be mutated, integer weights stay"),
        (tiny_onnx.images(rows=8), "takes 8 records a pass.*An open first side"),
        (tiny_onnx.dynamic(), "DynamicQuantizeLinear.*one by one"),
        (whole_numbers(["n", 8, 8, 3]), r"\[n, height, width, channels\]"),
        (whole_numbers(["n", 8, 8, 3]), "whole numbers from 0 to 255"),
        (tiny_onnx.images(dtype=np.float16), "4 of the parent's tensors are in half precision.*copied in every pass"),
    ],
)
def test_what_is_said(tmp_path, made, said):
    notes = parent(tmp_path, made).notes
    assert any(re.search(said, one) for one in notes), notes


def test_what_the_graph_says_of_images(tmp_path):
    assert parent(tmp_path, tiny_onnx.images()).preprocessing.channels == 1
    assert parent(tmp_path, tiny_onnx.images(channels=3)).preprocessing.mean is None
    own = parent(tmp_path, tiny_onnx.images(channels=3), mean=(0.5, 0.5, 0.5), std=(1.0, 2.0, 1.0)).preprocessing
    assert own.mean == (0.5, 0.5, 0.5) and own.std == (1.0, 2.0, 1.0)
    whole = ParentConfig(source="onnx", name=str(tiny_onnx.saved(tmp_path / "w.onnx", whole_numbers(["n", 8, 8, 3]))))
    assert parent_preprocessing(whole).mean == (0.0, 0.0, 0.0)
    with pytest.raises(ConfigError, match=r"takes images as whole numbers.*Leave them out"):
        load_parent(whole.model_copy(update={"mean": (0.5,) * 3, "std": (0.5,) * 3}))


def test_the_tokenizer_lies_beside_the_file_or_above(tmp_path):
    assert parent(tmp_path / "net" / "onnx", tiny_onnx.texts()).tokenizer is None
    tiny_language.tokenizer(tmp_path / "net")
    assert parent(tmp_path / "net" / "onnx", tiny_onnx.texts()).tokenizer == str(tmp_path / "net")
    tiny_language.tokenizer(tmp_path / "net" / "onnx")
    assert parent(tmp_path / "net" / "onnx", tiny_onnx.texts()).tokenizer == str(tmp_path / "net" / "onnx")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"source": "onnx", "name": "net.onnx", "weights": "random"}, "lie in the file that name says"),
        ({"source": "torchvision", "name": "resnet18", "weights": "random", "output": "y"}, "output is a key of onnx"),
        ({"source": "onnx", "name": "net.onnx", "output": ""}, "output"),
    ],
)
def test_keys_of_other_parents_are_refused(keys, said):
    with pytest.raises(UsageError, match=said):
        parse_config({"parent": keys, "data": {"path": "mnist5k"}}, "run.toml", None)


@pytest.mark.parametrize("keys", [{"classes": 3}, {"weights_key": "ema"}])
def test_keys_that_a_file_answers_are_refused(tmp_path, keys):
    with pytest.raises(ConfigError, match=rf"parent.{next(iter(keys))}: an onnx parent is what its file says"):
        parent(tmp_path, tiny_onnx.images(), **keys)

"""What a run may set for a network of onnxruntime."""

from __future__ import annotations

import pytest
import tiny_onnx
from torch import nn

from evoray.config import parse_config
from evoray.errors import ConfigError
from evoray.models.onnx.file import apart
from evoray.models.onnx.network import OnnxNetwork
from evoray.models.onnx.settings import fitting
from evoray.runtime.importing import code_of
from evoray.search.user_code import user_modules


def config(section="compute", **values):
    parent = {"source": "onnx", "name": "net.onnx"}
    sections = {"parent": parent, "data": {"path": "mnist5k"}, section: values}
    if section == "parent":
        sections["parent"] = parent | values
    return parse_config(sections, "run.toml", None)


def network(last=()):
    return OnnxNetwork(apart(tiny_onnx.images(last=last)), f"last{len(last) - 1}" if last else "logits", "net.onnx")


def fitted(asked, made, logits=True):
    return fitting(asked, made, lambda: logits)


def test_what_is_open_is_set():
    found, notes = fitted(config(dtype="auto"), network())
    compute = found.compute
    assert (compute.device, compute.dtype, compute.layout) == ("cpu", "float32", "contiguous")
    assert compute.keep_activations is False and notes == ()


def test_other_networks_are_left_alone():
    asked = config(compile=True, dtype="bfloat16")
    assert fitted(asked, nn.Linear(2, 2)) == (asked, ())


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("compute", {"compile": True}, r"compute\.compile = true: this is for networks of PyTorch"),
        ("compute", {"cuda_graphs": True}, r"compute\.cuda_graphs = true"),
        ("compute", {"keep_activations": True}, r"compute\.keep_activations = true"),
        ("compute", {"device": "cuda:1"}, r'compute\.device = "cuda:1": onnx parents run on the CPU'),
        ("compute", {"dtype": "bfloat16"}, r'compute\.dtype = "bfloat16": onnxruntime computes in the types'),
        ("soup", {"recalibrate": True}, r"soup\.recalibrate = true"),
    ],
)  # fmt: skip
def test_what_pytorch_alone_does_is_refused(section, values, said):
    with pytest.raises(ConfigError, match=said):
        fitted(config(section, **values), network())


@pytest.mark.parametrize("last", [("Softmax",), ("LogSoftmax",), ("Softmax", "Identity"), ("Sigmoid",)])
def test_what_goes_into_a_last_softmax_is_taken(last):
    made = network(last)
    _, notes = fitted(config(), made)
    assert made.output == "logits" and "Exports have the whole graph" in notes[0]


def test_it_stays_where_no_logits_are_asked_for_or_the_output_is_named():
    made = network(("Softmax",))
    assert fitted(config(), made, logits=False)[1] == () and made.output == "last0"
    assert fitted(config("parent", output="last0"), made)[1] == () and made.output == "last0"


def test_the_version_of_onnxruntime_is_part_of_a_run():
    import onnxruntime

    found = code_of(None, user_modules(config(), network()))
    assert found == {"onnxruntime": onnxruntime.__version__}

"""Files that are no ONNX models, or not whole, are refused in one sentence; others come back as they were."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tiny_onnx
import torch

from evoray.errors import ConfigError, ModelError
from evoray.models import read_state, write_state
from evoray.models.onnx.file import GRAPH, apart, find_file, onnx_bytes, read_onnx, with_integers

IMAGE = np.random.default_rng(0).normal(size=(2, 1, 12, 12)).astype(np.float32)


@pytest.mark.parametrize("kind", ["images", "quantized"])
def test_a_file_that_is_read_and_written_answers_as_before(tmp_path, kind):
    path = tiny_onnx.saved(tmp_path / "net.onnx", getattr(tiny_onnx, kind)())
    state = read_state(path)
    write_state(tmp_path / "again.onnx", state)
    one, other = (tiny_onnx.run_alone(tmp_path / name, image=IMAGE) for name in ("net.onnx", "again.onnx"))
    np.testing.assert_allclose(one, other, atol=1e-6)
    write_state(tmp_path / "whole.safetensors", state)
    again = read_state(tmp_path / "whole.safetensors")
    assert again.keys() == state.keys() and all(torch.equal(again[name], one) for name, one in state.items())
    assert onnx_bytes(again) == (tmp_path / "again.onnx").read_bytes()


def test_a_state_is_the_whole_network(tmp_path):
    """Two graphs with the same weights are two networks."""
    states = [apart(tiny_onnx.images(last=last)) for last in ((), ("Softmax",))]
    assert not torch.equal(states[0][GRAPH], states[1][GRAPH])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0] if name != GRAPH)


def test_weights_beside_the_file(tmp_path):
    made = tiny_onnx.images()
    expected = apart(tiny_onnx.images())
    path = tiny_onnx.saved(
        tmp_path / "net.onnx", made, save_as_external_data=True, location="net.bin", size_threshold=0
    )
    assert (tmp_path / "net.bin").exists()
    found = read_onnx(path)
    assert all(torch.equal(found[name], expected[name]) for name in expected if name != GRAPH)
    (tmp_path / "net.bin").rename(tmp_path / "other.bin")
    with pytest.raises(ModelError, match=r"weights lie in files beside it that cannot be read.*Keep the model's files"):
        read_onnx(path)


def whole():
    return tiny_onnx.images().SerializeToString()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not an ONNX model, or damaged"),
        (b"hello, this is no model", "not an ONNX model, or damaged"),
        (b"\x80\x04pickle", "not an ONNX model, or damaged"),
        (lambda: whole()[: len(whole()) // 2], "not an ONNX model, or damaged.*Export or fetch it again"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "no operation in it"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, content, said):
    (tmp_path / "net.onnx").write_bytes(content() if callable(content) else content)
    with pytest.raises(ModelError, match=said):
        read_onnx(tmp_path / "net.onnx")


def test_a_tensor_without_its_bytes_is_refused(tmp_path):
    made = tiny_onnx.images()
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]
    with pytest.raises(ModelError, match="not an ONNX model, or damaged"):
        read_onnx(tiny_onnx.saved(tmp_path / "net.onnx", made))


def test_the_graphs_own_name_is_taken():
    made = tiny_onnx.numbers_in()
    made.graph.initializer[0].name = made.graph.node[0].input[1] = GRAPH
    with pytest.raises(ModelError, match="Rename it"):
        apart(made)


def test_another_network_is_not_written_as_onnx(tmp_path):
    with pytest.raises(ModelError, match=r"did not come as \.onnx.*Name \.safetensors"):
        write_state(tmp_path / "net.onnx", {"weight": torch.ones(2)})
    assert not list(tmp_path.iterdir())


def test_a_file_is_found_beside_the_configuration(tmp_path, monkeypatch):
    tiny_onnx.saved(tmp_path / "nets" / "net.onnx", tiny_onnx.numbers_in())
    assert find_file("nets/net.onnx", tmp_path) == tmp_path / "nets" / "net.onnx"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"a folder\. Name the \.onnx file in it"):
        find_file("nets", None)
    with pytest.raises(ConfigError, match=r"no such file\. Name an \.onnx file"):
        find_file("other.onnx", tmp_path)


@pytest.mark.parametrize(("kind", "names"), [
    ("quantized", {"features.0.weight", "head.weight"}), ("dynamic", {"w"}), ("texts", {"embeddings"}),
    ("images", set()),
])  # fmt: skip
def test_integer_weights_are_taken_out_where_they_are_asked_for(tmp_path, kind, names):
    path = tiny_onnx.saved(tmp_path / "net.onnx", getattr(tiny_onnx, kind)())
    state = read_onnx(path)
    found = with_integers(state)
    assert found.keys() - state.keys() == names and all(found[name].dtype == torch.int8 for name in names)
    assert torch.equal(found[GRAPH], state[GRAPH]) == (not names)
    again = with_integers(found)
    assert again.keys() == found.keys() and torch.equal(again[GRAPH], found[GRAPH])
    assert with_integers(state, wanted=("head.bias",)).keys() == (state if "head.bias" in state else found).keys()
    assert with_integers({"a": path}) == {"a": path}

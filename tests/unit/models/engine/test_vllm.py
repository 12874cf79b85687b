"""A run's children in an engine: vLLM's part is played by a network that holds its weights as vLLM does.

With the real one: tests/benchmarks/vllm_children.py.
"""

from __future__ import annotations

import sys

import pytest
import torch
from fused_network import Llm, child, fused, pack, parent, written

from evoray.errors import ConfigError, LineageError, ModelError, RunError
from evoray.models.engine.vllm import EXTENSION, Engine, Extension, _answer, parent_state
from evoray.mutation import Lineage, child_state, tensors_sha256


@pytest.fixture
def run(tmp_path):
    """(folder, lineage file of child 0, network, state, aliases, space)."""
    model, state, aliases, space = parent(tmp_path / "net")
    return tmp_path / "net", written(tmp_path / "0.json", state, aliases, space, child()), model, state, aliases, space


@pytest.mark.parametrize("packed", [False, True])
def test_children_are_written_by_file_or_lineage_and_taken_back(run, packed):
    folder, file, model, state, _, space = run
    llm = Llm(pack(fused(model)) if packed else fused(model))
    engine = Engine(llm, folder, file)
    assert engine.weights_sha256() == tensors_sha256(state)
    for what, lineage in ((file, child()), (child(1), child(1)), (Lineage(), Lineage())):
        with engine.child(what) as given:
            assert given is llm
            assert engine.weights_sha256() == tensors_sha256(child_state(state, space, lineage))
        assert engine.weights_sha256() == tensors_sha256(state)


def test_children_are_rounded_to_the_engines_type(run):
    folder, file, model, state, _, space = run
    engine = Engine(Llm(fused(model, torch.bfloat16)), folder, file)
    engine.write(child())
    rounded = {name: one.bfloat16() for name, one in child_state(state, space, child()).items()}
    assert engine.weights_sha256() == tensors_sha256(rounded)


def test_what_the_engine_kept_of_prompts_is_forgotten(run):
    folder, file, model, *_ = run
    llm = Llm(fused(model))
    engine = Engine(llm, folder, file)
    engine.write(file)
    engine.take_back()
    assert llm.forgotten == 2
    llm.idle = False
    with pytest.raises(RunError, match="between calls of generate"):
        engine.write(file)


def test_another_folder_is_refused(run, tmp_path):
    _, file, model, *_ = run
    parent(tmp_path / "other", seed=1)
    with pytest.raises(LineageError, match="not those of the lineage's parent"):
        Engine(Llm(fused(model)), tmp_path / "other", file)


def test_an_engine_of_other_weights_is_refused(run):
    folder, file, model, *_ = run
    engine = fused(model)
    engine.lm_head.weight[0] += 1
    with pytest.raises(ModelError, match="does not hold the parent's"):
        Engine(Llm(engine), folder, file)


def test_any_workers_refusal_counts():
    class Two:
        def collective_rpc(self, method, args):
            return [3, ["ModelError", "no"]]

    with pytest.raises(ModelError, match="no"):
        _answer(Two(), "evoray_write", [])


def test_a_compiled_engine_with_packed_weights_is_refused(run):
    folder, file, model, *_ = run
    with pytest.raises(ModelError, match="enforce_eager=True"):
        Engine(Llm(pack(fused(model)), eager=False), folder, file)


def test_a_lineage_of_another_run_is_refused(run, tmp_path):
    folder, file, model, *_ = run
    _, state, aliases, space = parent(tmp_path / "other", seed=1)
    other = written(tmp_path / "1.json", state, aliases, space, child())
    with pytest.raises(LineageError, match="another parent or space"):
        Engine(Llm(fused(model)), folder, file).write(other)


@pytest.mark.parametrize("content", ["[]", "{", "{}"])
def test_a_file_that_is_no_lineage_is_refused(run, tmp_path, content):
    folder, file, model, *_ = run
    (tmp_path / "no.json").write_text(content)
    with pytest.raises(LineageError):
        Engine(Llm(fused(model)), folder, tmp_path / "no.json")
    with pytest.raises(LineageError):
        Engine(Llm(fused(model)), folder, file).write(tmp_path / "no.json")


def test_without_vllm_it_is_said_what_is_missing(run, monkeypatch):
    folder, file, *_ = run
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ConfigError, match="vLLM is not installed"):
        Engine.start(folder, file)


def test_a_tied_tensor_is_read_under_either_of_its_names(run):
    folder, _, _, state, aliases, _ = run
    document = {"parent": {"aliases": aliases}}
    found, names = parent_state(folder, document, tensors_sha256(state))
    assert names == aliases and found.keys() == state.keys() | aliases.keys()


def test_the_extension_is_found_by_its_name_and_hides_nothing_of_a_worker():
    module, _, name = EXTENSION.rpartition(".")
    assert getattr(sys.modules[module], name) is Extension
    assert all("evoray_" in one for one in dir(Extension) if not one.startswith("__"))

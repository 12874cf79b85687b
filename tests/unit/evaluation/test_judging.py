"""The parent is judged where every run begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from evoray.config import parse_config
from evoray.errors import ModelError
from evoray.evaluation.judging import by_depth, export_of
from evoray.evaluation.kept.tape import tensors_in
from evoray.evaluation.passes import Sample
from evoray.evolution import evolve
from evoray.search.inputs import check_inputs

NETWORKS = Path(__file__).parent


def config(name, dtype="float32", **mutation):
    values = {
        "parent": {"source": "module", "name": f"networks:{name}"},
        "data": {"path": "mock:images=16,size=8,classes=5"},
        "mutation": mutation,
        "compute": {"backend": "local", "workers": 1, "dtype": dtype},
    }
    return parse_config(values, config_dir=NETWORKS)


def test_a_run_with_an_impure_parent_does_not_begin(tmp_path):
    with pytest.raises(ModelError, match="DropoutByFunction"):
        evolve(config("DropoutByFunction"), tmp_path / "run", config_dir=NETWORKS)
    assert not (tmp_path / "run").exists()


def test_an_export_holds_every_name_of_a_tied_tensor():
    inputs = check_inputs(config("Tied"), NETWORKS)
    model = export_of(inputs).loaded({"first.weight": inputs.state["first.weight"] + 1})
    assert (model.second.weight == inputs.state["first.weight"] + 1).all()


def order(name, **mutation):
    """Names of the tensors in the order of first use, and what is said of them."""
    inputs = check_inputs(config(name, kind="layered", blocks=2, **mutation), NETWORKS)
    space = inputs.space
    assert (space.format, space.sha256) == (2, check_inputs(inputs.config, NETWORKS).space.sha256)
    return [space.tensors[number].name for number in space.depth], inputs.notes


def test_the_space_of_a_kind_by_depth_has_the_order_of_first_use():
    assert order("Plain")[0] == ["conv.weight", "conv.bias", "fc.weight", "fc.bias"]
    assert order("Plain", exclude=["*.bias"])[0] == ["conv.weight", "fc.weight"]
    names, _ = order("Tied")
    assert names == ["conv.weight", "conv.bias", "first.weight", "first.bias", "second.bias", "fc.weight", "fc.bias"]


def test_other_kinds_have_the_space_that_they_had():
    space = check_inputs(config("Plain"), NETWORKS).space
    assert (space.format, space.depth) == (1, None)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("BiasesKeptAtEval", ["conv.weight", "conv.bias", "biases"]),
        ("FusesAtEvalAnew", ["fc.weight", "conv.weight", "conv.bias"]),
        ("FusesInEval", ["fc.weight", "conv.weight", "conv.bias"]),
    ],
)
def test_what_is_computed_of_a_weight_at_eval_is_its_use(name, first):
    assert order(name)[0][:3] == first


@pytest.mark.parametrize("name", ["BiasesKeptAtEval", "Plain"])
def test_counting_prices_leaves_no_tensor_of_inference_mode(name):
    inputs = check_inputs(config(name, kind="layered", blocks=2, allocation="adaptive"), NETWORKS)
    prices = inputs.config.mutation.prices
    assert len(prices) == 2 and prices[0] == 1.0 >= prices[1]
    model = inputs.parent.model
    tensors = [one for part in model.modules() for one in tensors_in(vars(part))]
    assert tensors and not any(one.is_inference() for one in tensors)


def test_weights_that_are_never_used_are_last_and_said():
    names, notes = order("UnusedOnly")
    assert names[-2:] == ["unused.bias", "unused.weight"]
    assert any("17% of the weights that may be mutated are in tensors that the parent does not use" in n for n in notes)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda network, batch: 1 / 0, "could not be found .*division by zero.*Use mutation.kind = .partition."),
        (lambda network, batch: None, "none of the 4 tensors that may be mutated was seen in use"),
    ],
)
def test_a_network_whose_order_is_not_found_is_refused(run, words):
    inputs = check_inputs(config("Plain", kind="layered", blocks=2), NETWORKS)
    with pytest.raises(ModelError, match=words):
        by_depth(inputs, inputs.config, lambda dtype: Sample(None, None, None, run))


def test_a_type_that_is_found_later_may_be_the_only_one_in_which_a_network_runs():
    with pytest.raises(ModelError, match=r"float32 \(compute\.dtype\)"):
        check_inputs(config("AlwaysHalf"), NETWORKS)
    assert check_inputs(config("AlwaysHalf", dtype="auto"), NETWORKS).config.compute.dtype == "auto"


def test_of_a_type_that_is_found_later_nothing_is_said_yet():
    assert any("evaluated in float32" in note for note in check_inputs(config("HalfWeights"), NETWORKS).notes)
    assert not any("evaluated in" in note for note in check_inputs(config("HalfWeights", dtype="auto"), NETWORKS).notes)

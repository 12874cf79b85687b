"""The parent is judged where every run begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from evoray.config import parse_config
from evoray.errors import ModelError
from evoray.evaluation.judging import export_of
from evoray.evolution import evolve
from evoray.search.inputs import check_inputs

NETWORKS = Path(__file__).parent


def config(name):
    values = {
        "parent": {"source": "module", "name": f"networks:{name}"},
        "data": {"path": "mock:images=16,size=8,classes=5"},
        "compute": {"backend": "local", "workers": 1},
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

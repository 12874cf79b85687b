from __future__ import annotations

import pytest

from evoray.report.measures import BEFORE
from evoray.statistics import Comparison
from evoray.study.config import load_study
from evoray.study.outcome import Outcome, Window


@pytest.fixture
def study(study_file):
    return load_study(study_file)


@pytest.fixture
def outcome():
    """An outcome: its test NLL by network, and whatever else is given."""

    def make(parent="cnn", seed=0, side="sparse", best_child=0.5, soup=0.5, ensemble=0.5, **more):
        nll = {"parent": 0.6, "best_child": best_child, "soup": soup, "ensemble": ensemble}
        names = [name for name in nll if name != "parent"]
        values = {
            "role": "grid",
            "arm": side,
            "parts": 1 if side == "dense" else 4,
            "sigma": 0.1,
            "generations": 1,
            "evaluations": 10,
            "select_fitness": -soup,
            "measure": BEFORE["nll"],
            "beside": BEFORE["top1"],
            "tested": {"nll": nll, "top1": dict.fromkeys(nll, 0.8)},
            "comparisons": {
                "nll": {n: Comparison(n, "nll", nll[n] - 0.6, (nll[n] - 0.61, nll[n] - 0.59), 0.001) for n in names},
                "top1": {n: Comparison(n, "top1", 0.0, (-0.1, 0.1), 1.0) for n in names},
            },
            "curve": (-soup,),
            "window": Window(0.1, 0.2, -0.1, 0.25, 8, 0),
            "images": 100,
            "seconds": 1.0,
            "run": f"{parent}/seed{seed}/{side}",
        }
        return Outcome(parent=parent, seed=seed, side=side, **{**values, **more})

    return make

"""A small finished run as the search writes it: 60 children in two generations, one failed, one ruined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evoray.report.finished_run import Run
from evoray.statistics import Comparison, compare, corrected, verdict
from evoray.storage.directory import RunDirectory
from evoray.tasks.base import Measure
from evoray.tasks.classes import CALIBRATION
from evoray.tasks.image_classification import ImageClassification

TEST_IMAGES = 2100


@pytest.fixture
def population() -> pa.Table:
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for index in range(60):
        generation, child = divmod(index, 30)
        nll = float(0.245 - 0.006 * generation + rng.normal(0, 0.008))
        rows.append(
            {
                "child_id": f"g{generation:04d}/c{child:04d}",
                "generation": generation,
                "child": child,
                "mask_seed": 1_000 + generation,
                "parts": 10,
                "part": child % 10,
                "noise_seed": index,
                "sigma": 0.1,
                "sign": 1,
                "select_n": 2100,
                "select_top1": 0.93 - nll / 100,
                "select_top5": 0.998,
                "select_nll": nll,
                "select_fitness": -nll,
                "status": "ok",
            }
        )
    rows[7] |= {"select_nll": 3.1, "select_fitness": -3.1, "select_top1": 0.21}
    broken = dict.fromkeys(["select_n", "select_top1", "select_top5", "select_nll", "select_fitness"])
    rows[11] |= broken | {"status": "12 images with NaN or infinite outputs"}
    order = sorted(range(60), key=lambda i: -(rows[i]["select_fitness"] or -1e9))
    for place, index in enumerate(order):
        test = {"n": TEST_IMAGES, "top1": 0.929, "top5": 0.998, "nll": rows[index]["select_nll"]}
        member = place < 8
        rows[index] |= {f"test_{name}": value if member else None for name, value in test.items()}
        rows[index]["rank"] = place + 1
    return pa.Table.from_pylist(rows)


@pytest.fixture
def config() -> dict[str, Any]:
    return {
        "seed": 7,
        "parent": {"source": "torchvision", "name": "resnet50", "weights": "IMAGENET1K_V2", "mean": None},
        "data": {"path": "mnist5k", "select": 0.5, "test": 0.5, "test_path": None},
        "mutation": {"sigma": 0.1, "parts": 10, "include": ["*"], "exclude": [], "antithetic": False},
        "compute": {"backend": "ray", "workers": 4, "device": "cpu", "dtype": "float32"},
    }


def _metrics(top1: float, nll: float, ece: float) -> dict[str, Any]:
    return {"n": TEST_IMAGES, "top1": top1, "top5": 0.9981, "nll": nll, "ece": ece, "brier": 0.11}


def _compared(name: str, metric: str, ours: np.ndarray, parent: np.ndarray) -> Any:
    return compare(name, metric, ours, parent, shares=metric == "top1", higher_is_better=metric == "top1")


def _comparisons() -> list[Any]:
    rng = np.random.default_rng(5)
    parent = rng.exponential(0.242, TEST_IMAGES)
    right = rng.random(TEST_IMAGES) < 0.928
    found = []
    for name, gain in (("best_child", 0.0006), ("soup", 0.0135), ("ensemble", 0.0171)):
        found.append(_compared(name, "nll", parent - gain + rng.normal(0, 0.12, TEST_IMAGES), parent))
    for name, flips in (("best_child", 30), ("soup", 45), ("ensemble", 50)):
        ours = right.copy()
        ours[np.flatnonzero(~right)[:flips]] = True
        ours[np.flatnonzero(right)[:25]] = False
        found.append(_compared(name, "top1", ours.astype(float), right.astype(float)))
    return found


@pytest.fixture
def summary(population: pa.Table) -> dict[str, Any]:
    comparisons = corrected(_comparisons())
    shift = {(one.name, one.metric): one.difference for one in comparisons}
    ranked = sorted(population.to_pylist(), key=lambda row: row["rank"])
    parent = _metrics(0.928, 0.2423, 0.0121)
    curve = [{"size": k, "nll": 0.2278 + 0.014 * (0.6**k - 0.6**8), "top1": 0.929 + 0.0013 * k} for k in range(1, 9)]
    return {
        "format": 1,
        "run_id": "9f2c41d07be64d0d8f3e1f1f0a4b7c55",
        "seed": 7,
        "verdict": verdict(comparisons, "nll", ImageClassification.measures),
        "fitness": "nll",
        "splits": {"select": 2100, "test": TEST_IMAGES},
        "parent": {"select": parent | {"nll": 0.2451}, "test": parent},
        "best_child": {
            "id": ranked[0]["child_id"],
            **_metrics(0.928 + shift["best_child", "top1"], 0.2423 + shift["best_child", "nll"], 0.0119),
        },
        "soup": {
            "id": "g0001/soup05",
            "entries": 5,
            **_metrics(0.928 + shift["soup", "top1"], 0.2423 + shift["soup", "nll"], 0.0108),
        },
        "ensemble": {
            "members": [{"id": row["child_id"], "weight": 1.0} for row in ranked[:8]],
            **_metrics(0.928 + shift["ensemble", "top1"], 0.2423 + shift["ensemble", "nll"], 0.0145),
            "curve": curve,
            "diversity": {
                "disagreement": 0.013,
                "error_correlation": 0.87,
                "kl": 0.0021,
                "pairs": {
                    "disagreement": [[0.0 if i == j else 0.01 * (1 + (i + j) % 3) for i in range(8)] for j in range(8)]
                },
            },
        },
        "children": {
            "better_on_select": {"count": 31, "n": 59, "share": 31 / 59, "ci95": [0.39, 0.66]},
            "better_on_test": {"count": 9, "n": 20, "share": 0.45, "ci95": [0.23, 0.68]},
            "select_test": {"n": 20, "spearman": 0.71, "ci95": [0.38, 0.88], "pearson": 0.7},
            "sample": [
                {"id": f"g0000/c{i:04d}", "select": -0.245 + 0.001 * i, "test": -0.243 + 0.0008 * i - 0.003 * (i % 3)}
                for i in range(20)
            ],
            "parent": {"select": -0.2451, "test": -0.2423},
        },
        "comparisons": [one.to_dict() for one in comparisons],
        "mutation": {"n": 105_866, "density": 0.1, "sigma": 0.1, "vanished": 0.0013},
        "work": {
            "units": 240,
            "images": 260_400,
            "wall_s": 94.2,
            "images_per_s": 2764.3,
            "bytes_to_workers": 1_534_221,
            "retries": 1,
            "workers": 4,
            "backend": "ray",
            "deterministic": True,
            "stages": {
                "child": 61.2,
                "soup": 11.0,
                "panel/select": 1.9,
                "panel/test": 12.3,
                "sample/test": 6.0,
                "other": 0.4,
            },
        },
        "reliability": {"parent": _bins(1.03), "ensemble": _bins(0.98)},
    }


FITNESSES = {
    "cost": Measure("Cost", "per image", False, "Cost"),
    "macro-f1": Measure("Macro F1", "fraction", True, "Macro F1"),
    "worst-class": Measure("Accuracy of the worst class", "fraction", True, "Worst class"),
    "brier": CALIBRATION["brier"],
    "nll": ImageClassification.measures["nll"],
    "top1": ImageClassification.measures["top1"],
    "mine:auc": Measure("Fitness (auc)", "", True, "auc", "auc"),
}


@pytest.fixture
def run_for(summary: dict[str, Any], population: pa.Table) -> Callable[..., Run]:
    """The same run as its summary says it today, for a fitness: 0.25 of the parent's, better by 0.05 everywhere."""

    def make(fitness: str, *, ensemble: bool = True) -> Run:
        own = FITNESSES[fitness]
        rows = population.to_pylist()
        for row in rows:
            row["select_fitness"] = None if row["select_nll"] is None else own.sign * (0.25 + 0.01 * row["child"])
        known = {**ImageClassification.measures, **CALIBRATION}
        measures = {fitness: own, **known}
        made = summary | {
            "fitness": fitness,
            "measures": {name: {**vars(one), "said": one.words} for name, one in measures.items()},
            "notes": ["classes: the data's 10 are outputs 0 to 9 of the parent's 10, by number"],
        }
        if fitness not in known:
            made["parent"] = {split: {**made["parent"][split], fitness: 0.25} for split in ("select", "test")}
            for name in ("best_child", "soup", "ensemble"):
                made[name] = made[name] | {fitness: 0.25 + 0.05 * own.sign}
            better = [Comparison(name, "fitness", 0.05, (0.02, 0.08), 0.001) for name in ("best_child", "soup")]
            made["comparisons"] = [one.to_dict() for one in better] + made["comparisons"]
        sample = [{"id": f"g0000/c{i:04d}", "select": own.sign * 0.25, "test": own.sign * 0.3} for i in range(3)]
        made["children"] = made["children"] | {"sample": sample, "parent": {"select": own.sign * 0.25, "test": None}}
        if not ensemble:
            made = {name: value for name, value in made.items() if name not in ("ensemble", "reliability")}
            made["comparisons"] = [one for one in made["comparisons"] if one["name"] != "ensemble"]
        return Run.of(made, pa.Table.from_pylist(rows))

    return make


def _bins(overconfidence: float) -> dict[str, list[Any]]:
    middle = (np.arange(15) + 0.5) / 15
    counts = (np.arange(15) ** 3).astype(int)
    return {
        "counts": counts.tolist(),
        "confidence": (counts * middle).tolist(),
        "hits": np.round(counts * np.minimum(middle / overconfidence, 1)).astype(int).tolist(),
    }


@pytest.fixture
def finished(summary, config, population, tmp_path):
    """A finished run's directory, of files alone."""
    directory = RunDirectory(str(tmp_path / "run"))
    directory.write_json("summary.json", summary)
    directory.write_json("config.json", config)
    directory.write_table("population.parquet", population)
    return directory

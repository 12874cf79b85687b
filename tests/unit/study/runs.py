"""A run's directory as it is when the run has ended, with figures as a test wants them."""

from __future__ import annotations

import json

import pyarrow as pa

from evoray.statistics import Comparison

NETWORKS = ("best_child", "soup", "ensemble")


def write_finished(directory, config, *, fitness=(-0.5,), select=0.6, children=(0.5, 0.7, None), nll=0.5, parent=0.6):
    """config: a RunConfig. fitness: the best of each generation. children: NLL on select, None for a failed one."""
    figures = {"n": 100, "nll": nll, "top1": 0.9, "top5": 1.0, "ece": 0.01}
    compared = [Comparison(name, "nll", nll - parent, (-0.2, 0.1), 0.5).to_dict() for name in NETWORKS]
    compared += [Comparison(name, "top1", 0.01, (-0.2, 0.1), 0.5).to_dict() for name in NETWORKS]
    directory.write_json("config.json", config.model_dump(mode="json"))
    lines = [{"generation": g, "candidates": 4 + g, "best_fitness": best} for g, best in enumerate(fitness)]
    directory.write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    status = ["failed" if one is None else "ok" for one in children]
    table = {"status": status, "select_nll": pa.array(children, pa.float64())}
    directory.write_table("population.parquet", pa.table(table))
    summary = {
        "parent": {"select": figures | {"nll": select}, "test": figures | {"nll": parent, "top1": 0.89}},
        **dict.fromkeys(NETWORKS, figures),
        "comparisons": compared,
        "mutation": {"sigma": 0.07 if config.mutation.sigma == "auto" else config.mutation.sigma},
        "work": {"images": 1000, "wall_s": 2.5},
    }
    directory.write_json("summary.json", summary)

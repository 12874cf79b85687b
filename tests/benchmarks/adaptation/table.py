"""Tables of ``run.py``'s results, with intervals: ``python tests/benchmarks/adaptation/table.py RESULTS.json …``.

A photograph is the unit: its views are averaged, and intervals are of 10,000 resamples of the photographs (percentile
bootstrap, 95%), paired, both halves together. A mean over corruptions resamples whole photographs as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

RESAMPLES = 10_000
NETWORKS = ("soup", "best", "ensemble", "statistics")
Values = Mapping[str, np.ndarray]
"""By corruption, float64 [photographs]."""


def interval(values: np.ndarray) -> tuple[float, float]:
    """Of the mean of float64 [photographs]."""
    rows = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def case_of(key: str) -> str:
    """``lite0, information, one step``, of a run's key."""
    network, fitness, *_, setting = key.split("/")
    return f"{network}, {fitness}, {setting}"


def values_of(runs: Mapping[str, Any], case: str, half: str, network: str, figure: str) -> Values:
    """case: network, fitness and setting; only corruptions of which every half was run that was run of any."""
    found: dict[str, dict[int, list[float]]] = {}
    for key, run in runs.items():
        kind, fold = key.split("/")[2], key.split("/")[4]
        if case_of(key) == case and network in run["rows"][half]:
            found.setdefault(kind, {})[int(fold)] = run["rows"][half][network][figure]
    # what was adapted on in fold 0 is the other half of fold 1: in either case the two folds together are all of them
    wanted = sorted({fold for folds in found.values() for fold in folds})
    return {
        kind: np.concatenate([folds[fold] for fold in wanted])
        for kind, folds in found.items()
        if sorted(folds) == wanted
    }


def differences(runs: Mapping[str, Any], case: str, half: str, network: str, figure: str) -> Values:
    parent, own = (values_of(runs, case, half, one, figure) for one in ("parent", network))
    return {kind: own[kind] - parent[kind] for kind in own}


def _shown(values: np.ndarray, scale: float) -> str:
    digits = 1 if scale > 1 else 2
    mean, low, high = (f"{scale * one:+.{digits}f}" for one in (values.mean(), *interval(values)))
    return f"{mean} ({low} to {high})"


def kinds_table(runs: Mapping[str, Any], case: str, network: str) -> Iterator[str]:
    """A row a corruption, a network against the parent on what was adapted on and on the rest."""
    yield "| corruption | top-1 before | adapted: points | NLL before | adapted: nats | other: points | other: nats |"
    yield "|---|---|---|---|---|---|---|"
    before = {figure: values_of(runs, case, "adapted", "parent", figure) for figure in ("top1", "nll")}
    found = {
        (half, figure): differences(runs, case, half, network, figure)
        for half in ("adapted", "other")
        for figure in ("top1", "nll")
    }
    for kind in [*before["nll"], "all"]:
        own = {key: _of(values, kind) for key, values in found.items()}
        yield (
            f"| {kind.replace('_', ' ')} | {100 * _of(before['top1'], kind).mean():.1f}% "
            f"| {_shown(own['adapted', 'top1'], 100)} | {_of(before['nll'], kind).mean():.2f} "
            f"| {_shown(own['adapted', 'nll'], 1)} | {_shown(own['other', 'top1'], 100)} "
            f"| {_shown(own['other', 'nll'], 1)} |"
        )


def means_table(runs: Mapping[str, Any]) -> Iterator[str]:
    """A row a case and network: means over its corruptions."""
    yield "| network, fitness | of it | corruptions | adapted: points | adapted: nats | other: points | other: nats |"
    yield "|---|---|---|---|---|---|---|"
    for case in dict.fromkeys(case_of(key) for key in runs):
        for network in NETWORKS:
            if not values_of(runs, case, "adapted", network, "nll"):
                continue
            cells = [
                _shown(_of(differences(runs, case, half, network, figure), "all"), scale)
                for half in ("adapted", "other")
                for figure, scale in (("top1", 100), ("nll", 1))
            ]
            count = len(values_of(runs, case, "adapted", network, "nll"))
            yield f"| {case} | {network} | {count} | {' | '.join(cells)} |"


def _of(values: Values, kind: str) -> np.ndarray:
    """Of one corruption, or of each photograph the mean over them."""
    return np.mean(list(values.values()), axis=0) if kind == "all" else values[kind]


def main() -> None:
    runs = {key: run for file in sys.argv[1:] for key, run in json.loads(Path(file).read_text())["runs"].items()}
    for case in dict.fromkeys(case_of(key) for key in runs):
        print(
            f"\n{case}\n", *kinds_table(runs, case, "statistics" if case.endswith("statistics") else "soup"), sep="\n"
        )
    print("", *means_table(runs), sep="\n")


if __name__ == "__main__":
    main()

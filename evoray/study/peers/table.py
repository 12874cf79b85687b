"""What came out: gains at equal evaluations and at equal seconds, who was ahead of whom, and what each arm cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from evoray.runtime.paths import replace_with
from evoray.study.peers.arms import DEFAULT, SEARCHED, SETTINGS, difference
from evoray.study.peers.own import OVERLAYS
from evoray.study.peers.runner import Plan

LABELS: Mapping[str, str] = {
    DEFAULT: "**EvoRay, default** (decomposition)",
    "evotorch-snes": "EvoTorch SNES",
    "evotorch-pgpe": "EvoTorch PGPE",
    "evotorch-cma-es": "EvoTorch CMA-ES, separable",
    "own-loop": "loop of one's own, (1+1)",
    "randopt": "RandOpt's rule, best guess",
    "es-at-scale": "es-at-scale's rule",
    "evoray-10": "EvoRay, 10 children a generation",
    "evoray-one-plus-lambda": "EvoRay (1+λ)",
    "evoray-mu-lambda": "EvoRay (μ, λ)",
    "evoray-es-dense": "EvoRay evolution strategy, dense",
    "evoray-es-sparse": "EvoRay evolution strategy, sparse",
    "evoray-cma-es": "EvoRay CMA-ES",
    "evoray-randopt": "EvoRay RandOpt, best child",
    "temperature": "no search: temperature",
    "temperature-bias": "no search: temperature and bias",
    "gradient-descent": "gradient descent",
}
"""In the order of the tables."""
WITHIN = 0.2
"""A strategy stands where its gain is that close to the default's on some problem."""
BUDGETS = ("evaluations", "seconds")


@dataclass(frozen=True)
class Cell:
    """An arm on a problem. gains: percent of the parent's test NLL, by budget; against: test NLL of EvoRay's default
    minus its own, with a 95% interval, by budget."""

    path: Path
    outcome: Mapping[str, Any]
    gains: Mapping[str, float]
    parent: tuple[float, float, float]
    against: Mapping[str, tuple[float, float, float]]

    def told(self, budget: str) -> Mapping[str, Any]:
        answers: Mapping[str, Mapping[str, Any]] = self.outcome["answers"]
        return answers.get(budget, answers["evaluations"])


Cells = Mapping[str, Mapping[str, Cell]]
"""By problem, then by arm."""


def read_cells(plan: Plan) -> Cells:
    """Every finished arm at its best setting, on each problem whose parent was scored."""
    return {problem: found for problem in plan.problems() if (found := _of_problem(plan, problem))}


def _of_problem(plan: Plan, problem: str) -> dict[str, Cell]:
    parent, default = plan.best(problem, "parent"), plan.best(problem, DEFAULT)
    if parent is None:
        return {}
    base, cells = parent[1]["answers"]["evaluations"]["nll"], {}
    for arm in LABELS:
        best = plan.best(problem, arm)
        if best is None:
            continue
        path, outcome = best
        answers = outcome["answers"]
        gains = {name: 100 * (1 - answers.get(name, answers["evaluations"])["nll"] / base) for name in BUDGETS}
        against = {name: difference(default[0], path, name) for name in BUDGETS} if default else {}
        cells[arm] = Cell(path, outcome, gains, difference(path, parent[0]), against)
    return cells


def markdown(cells: Cells, plan: Plan) -> str:
    """All tables; of what is finished."""
    parts = [
        "### Test NLL under the parent's, in percent, at equal evaluations",
        _gains(cells, "evaluations", list(LABELS)),
        "### The same after the CPU seconds of EvoRay's default",
        _gains(cells, "seconds", [DEFAULT, *SEARCHED]),
        "### EvoRay's default against each",
        _against(cells),
        "### Strategies of EvoRay: the largest share of the default's gain on any problem",
        _strategies(cells),
        "### What it cost, and accuracy",
        _costs(cells, plan),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, f"|{'---|' * len(lines[0])}", *rest])


def _gains(cells: Cells, budget: str, arms: Sequence[str]) -> str:
    lines = [["", *cells, "mean"]]
    for arm in arms:
        values = [found[arm].gains[budget] if arm in found else None for found in cells.values()]
        known = [one for one in values if one is not None]
        if known:
            whole = f"{mean(known):.1f}" if len(known) == len(values) else f"{mean(known):.1f} of {len(known)}"
            lines.append([LABELS[arm], *("–" if one is None else f"{one:.1f}" for one in values), whole])
    return _rows(lines)


def _against(cells: Cells) -> str:
    lines = [
        ["", "ahead, equal evaluations", "clear of zero", "behind, clear", "ahead, equal seconds", "clear", "behind"]
    ]
    for arm in LABELS:
        found = [one[arm] for one in cells.values() if arm in one and one[arm].against]
        if arm != DEFAULT and found:
            budgets = BUDGETS if arm in SEARCHED else BUDGETS[:1]
            counts = [_counts([one.against[budget] for one in found]) for budget in budgets]
            lines.append([LABELS[arm], *counts[0], *(counts[1] if len(counts) > 1 else ("–",) * 3)])
    return _rows(lines)


def _counts(differences: Sequence[tuple[float, float, float]]) -> tuple[str, str, str]:
    """Ahead, ahead and clear of zero, behind and clear of zero; a difference below zero is EvoRay's."""
    ahead = sum(one < 0 for one, _, _ in differences)
    clear, behind = sum(high < 0 for *_, high in differences), sum(low > 0 for _, low, _ in differences)
    return f"{ahead} of {len(differences)}", str(clear), str(behind)


def _strategies(cells: Cells) -> str:
    lines = [["", "share", "problem", f"within {WITHIN:.0%}"]]
    for arm in OVERLAYS:
        shares = {
            problem: found[arm].gains["evaluations"] / found[DEFAULT].gains["evaluations"]
            for problem, found in cells.items()
            if arm in found and DEFAULT in found
        }
        if arm != DEFAULT and shares:
            where = max(shares, key=lambda one: shares[one])
            within = sum(one >= 1 - WITHIN for one in shares.values())
            lines.append([LABELS[arm], f"{shares[where]:.2f}", where, f"{within} of {len(shares)}"])
    return _rows(lines)


def _costs(cells: Cells, plan: Plan) -> str:
    lines = [["", "evaluations", "CPU s", "ms an evaluation", "top-1, points", "ensemble, NLL %", "settings"]]
    for arm in LABELS:
        found = [(one[arm], plan.best(problem, "parent")) for problem, one in cells.items() if arm in one]
        if not found:
            continue
        told = [cell.told("evaluations") for cell, _ in found]
        spent, seconds = mean(one["evaluations"] for one in told), mean(one["seconds"] for one in told)
        parents = [parent[1]["answers"]["evaluations"] for _, parent in found if parent is not None]
        top1 = mean(100 * (one["top1"] - base["top1"]) for one, base in zip(told, parents, strict=True))
        voted = [(cell.outcome.get("ensemble"), base) for (cell, _), base in zip(found, parents, strict=True)]
        gains = [100 * (1 - one["nll"] / base["nll"]) for one, base in voted if one]
        settings = dict.fromkeys(str(cell.outcome["setting"]) for cell, _ in found if len(SETTINGS[arm]) > 1)
        ensemble = f"{mean(gains):.1f}" if gains else ""
        each = "" if arm.startswith("temp") or arm == "gradient-descent" else f"{1000 * seconds / spent:.0f}"
        cost = [f"{spent:.0f}", f"{seconds:.1f}", each]
        lines.append([LABELS[arm], *cost, f"{top1:+.1f}", ensemble, ", ".join(settings)])
    return _rows(lines)


def write_tables(plan: Plan) -> Path:
    """``peers.md``, which is returned, and ``peers.json`` with every arm's numbers, in the plan's folder."""
    cells = read_cells(plan)
    found = {"sizes": asdict(plan.sizes), "problems": {name: _told(plan, name, one) for name, one in cells.items()}}
    replace_with(plan.out / "peers.json", (json.dumps(_short(found)) + "\n").encode())
    replace_with(plan.out / "peers.md", markdown(cells, plan).encode())
    return plan.out / "peers.md"


def _told(plan: Plan, problem: str, cells: Mapping[str, Cell]) -> dict[str, Any]:
    parent = plan.best(problem, "parent")
    arms = {}
    for arm, cell in cells.items():
        keep = {key: value for key, value in cell.outcome.items() if key not in ("arm", "case", "sizes")}
        tried = {str(one): out["answers"] for one in SETTINGS[arm] if (out := plan.read(problem, arm, one)) is not None}
        arms[arm] = keep | {"minus_parent": cell.parent, "default_minus_this": cell.against}
        arms[arm] |= {"settings": tried} if len(tried) > 1 else {}
    return {"parent": parent[1]["answers"]["evaluations"] if parent else None, "arms": arms}


def _short(value: Any) -> Any:
    """Floats to five figures."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: _short(one) for key, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list | tuple) else value

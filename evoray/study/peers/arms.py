"""All arms, in the order in which they are run, and what one of them comes to: a JSON, and its losses on ``test``."""

from __future__ import annotations

import datetime
import functools
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.errors import ConfigError
from evoray.runtime.paths import replace_with
from evoray.statistics import compare
from evoray.study.peers import searchers, upper
from evoray.study.peers.own import OVERLAYS, rebuilt, run_own
from evoray.study.peers.problem import Network, Problem, Score, Sizes
from evoray.study.peers.trial import Point, Trial

DEFAULT = "evoray"
"""The arm whose seconds all peers get."""
EVOTORCH = "evotorch-"
PEERS: Mapping[str, searchers.Search] = {
    "own-loop": searchers.own_loop,
    "es-at-scale": searchers.es_at_scale,
    "randopt": searchers.randopt,
}
"""Gradient-free ones that need no package of their own."""
UPPER: Mapping[str, Callable[[Network, Any, int], upper.Found]] = {
    "gradient-descent": upper.gradient_descent,
    "temperature": lambda network, setting, seed: upper.temperature(network, False, seed),
    "temperature-bias": lambda network, setting, seed: upper.temperature(network, True, seed),
}
ONE = (None,)
SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "parent": ONE,
    DEFAULT: ONE,
    "evotorch-snes": searchers.WIDE,
    "evotorch-pgpe": searchers.WIDE,
    "evotorch-cma-es": searchers.WIDE,
    "own-loop": searchers.NARROW,
    "temperature": ONE,
    "temperature-bias": ONE,
    "gradient-descent": upper.RATES,
    "randopt": (searchers.GUESSED,),
    **{name: ONE for name in OVERLAYS if name != DEFAULT},
    "es-at-scale": searchers.WIDE,
}
"""What each arm may be set to; all are tried at the first seed, and the best of them on ``select`` at the others."""
SEARCHED = tuple(name for name in SETTINGS if name.startswith(EVOTORCH) or name in PEERS)
"""The gradient-free peers."""
FIRST = 6
"""So many arms are run for every case before the others begin."""


@dataclass(frozen=True)
class Task:
    """One arm on one problem. seconds: of CPU time, which a peer searches for at least; out: its JSON."""

    problem: Problem
    arm: str
    setting: Any
    sizes: Sizes
    seconds: float
    out: Path

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Task:
        values = json.loads(text)
        problem: dict[str, Any] = {key: Path(one) if key in PATHS else one for key, one in values["problem"].items()}
        values |= {"problem": Problem(**problem), "sizes": Sizes(**values["sizes"]), "out": Path(values["out"])}
        return cls(**values)


PATHS = ("weights", "select", "test")


def run_task(task: Task, peers: Mapping[str, searchers.Search] = PEERS) -> None:
    """Writes what the arm came to, the JSON last: a file that is there is a finished arm."""
    network = Network(task.problem)
    if task.arm in OVERLAYS:
        found, losses = _own(task, network)
    elif task.arm in UPPER:
        found, losses = _upper(task, network, UPPER[task.arm])
    elif task.arm == "parent":
        score = _score(network, network.home)
        found, losses = {"answers": {"evaluations": _told(score, network.loss(network.select))}}, [score.nll]
    else:
        found, losses = _peer(task, network, peers[task.arm.removeprefix(EVOTORCH)])
    stored = io.BytesIO()
    np.savez(stored, evaluations=losses[0], seconds=losses[-1])
    replace_with(task.out.with_suffix(".npz"), stored.getvalue())
    about = {"arm": task.arm, "case": task.problem.name, "setting": task.setting, "sizes": asdict(task.sizes)}
    replace_with(task.out, json.dumps(about | found | origin(), indent=1).encode())


Outcome = tuple[dict[str, Any], list[np.ndarray]]
"""What an arm's JSON says of it, and its losses on ``test``: at as many evaluations, then after as many seconds."""


def _peer(task: Task, network: Network, search: searchers.Search) -> Outcome:
    trial = Trial(network, task.sizes.evaluations, task.seconds)
    trial.run(lambda one: search(one, task.setting, task.problem.seed))
    answers = {"evaluations": trial.at(evaluations=task.sizes.evaluations), "seconds": trial.at(seconds=task.seconds)}
    scored = {name: _score(network, point.vector) for name, point in answers.items()}
    told = {name: _told(scored[name], point.select, point) for name, point in answers.items()}
    curve = [[*_place(one), one.select, _score(network, one.vector).nll.mean()] for one in trial.curve()]
    found: dict[str, Any] = {"seconds_asked": task.seconds, "answers": told, "curve": curve}
    if trial.members:
        found["ensemble"] = _told(_score(network, *(vector for _, vector in trial.members)))
    return found, [one.nll for one in scored.values()]


def _own(task: Task, network: Network) -> Outcome:
    run = task.out.with_suffix("")
    shutil.rmtree(run, ignore_errors=True)
    own = run_own(task.problem, task.arm, task.sizes, run)
    network.model.load_state_dict(rebuilt(network.model, own.lineage), strict=False)
    score = _score(network, network.vector())
    told = _told(score, own.select) | {"seconds": own.seconds, "evaluations": own.evaluations}
    found = {"search": own.search, "answers": {"evaluations": told}, "ensemble": dict(own.ensemble), "curve": own.curve}
    return found, [score.nll]


def _upper(task: Task, network: Network, search: Callable[[Network, Any, int], upper.Found]) -> Outcome:
    found = search(network, task.setting, task.problem.seed)
    network.write(network.home if found.network is None else found.network)
    logits = network.logits(network.test).clone()
    score = Score.of(logits if found.calibrate is None else found.calibrate(logits), network.test.labels)
    told = _told(score, found.select) | {"seconds": found.seconds, "evaluations": found.evaluations}
    return {"answers": {"evaluations": told}}, [score.nll]


def _score(network: Network, *vectors: Tensor) -> Score:
    """On ``test``: of a network, or of the mean of several networks' probabilities."""
    shares = []
    for vector in vectors:
        network.write(vector)
        shares.append(network.logits(network.test).double().log_softmax(1))
    logs = torch.logsumexp(torch.stack(shares), 0) - np.log(len(shares))
    return Score.of(logs, network.test.labels)


def _place(point: Point) -> tuple[float, int]:
    return point.seconds, point.evaluations


def _told(score: Score, select: float | None = None, point: Point | None = None) -> dict[str, Any]:
    told = {"nll": float(score.nll.mean()), "top1": float(score.right.mean())}
    told |= {} if select is None else {"select": select}
    return told if point is None else told | {"seconds": point.seconds, "evaluations": point.evaluations}


@functools.cache
def origin() -> dict[str, Any]:
    """Where this program's results come from: commit, date, device."""
    command = ["git", "rev-parse", "--short=7", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
    device = f"CPU {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} thread"
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"commit": commit or "unknown", "date": date, "device": device, "torch": torch.__version__}


def read_outcome(path: Path, sizes: Sizes) -> dict[str, Any] | None:
    """A finished arm, or None. Raises ConfigError where it was made with other sizes, or is no JSON of an arm."""
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        made = found["sizes"]
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: damaged. Remove it, and the arm runs again.") from None
    if made != asdict(sizes):
        raise ConfigError(f"{path}: made with other sizes ({made}). Name a new folder, or those sizes.")
    return found


def difference(ours: Path, theirs: Path, of: str = "evaluations") -> tuple[float, float, float]:
    """Test NLL of one arm minus another's on the same images, with its 95% interval (paired t).

    of: which of the other's answers, to as many ``evaluations`` or after as many ``seconds``.
    """
    with np.load(ours.with_suffix(".npz")) as own, np.load(theirs.with_suffix(".npz")) as other:
        found = compare(
            ours.stem, "nll", own["evaluations"], other[of], shares=False,
            higher_is_better=False,
        )  # fmt: skip
    return (found.difference, *found.ci95)

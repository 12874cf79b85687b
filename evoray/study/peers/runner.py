"""Runs every arm on every problem; a finished arm is not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch

from evoray.errors import ConfigError
from evoray.runtime.progress import Progress
from evoray.study.peers.arms import DEFAULT, FIRST, SEARCHED, SETTINGS, Task, read_outcome, run_task
from evoray.study.peers.environment import OwnEnvironment
from evoray.study.peers.problem import Problem, Sizes, fashion_mnist
from evoray.study.small_parents import Recipe, checkpoint, train_parents

EARLY = ("early",)


@dataclass(frozen=True)
class Plan:
    """What is compared. out: a folder with parents, images and arms; seeds: settings are chosen at the first."""

    out: Path
    architectures: tuple[str, ...]
    seeds: tuple[int, ...]
    sizes: Sizes
    only: str = "*"

    def path(self, problem: str, arm: str, setting: Any) -> Path:
        """An arm's JSON."""
        mark = "" if len(SETTINGS[arm]) == 1 else f"@{setting:g}"
        return self.out / "arms" / problem / f"{arm}{mark}.json"

    def wanted(self, problem: str, arm: str) -> bool:
        return fnmatch(f"{problem}/{arm}", self.only)

    def problems(self) -> list[str]:
        return [f"{name}-{seed}" for name in self.architectures for seed in self.seeds]

    def settings(self, problem: str, arm: str) -> Sequence[Any]:
        """All of them at the first seed, else the best there on ``select``; none where that is not known yet."""
        name, _, seed = problem.rpartition("-")
        if len(SETTINGS[arm]) == 1 or int(seed) == self.seeds[0]:
            return SETTINGS[arm]
        found = [self.read(f"{name}-{self.seeds[0]}", arm, one) for one in SETTINGS[arm]]
        if None in found:
            return ()
        return [SETTINGS[arm][least(found)]]

    def read(self, problem: str, arm: str, setting: Any) -> dict[str, Any] | None:
        return read_outcome(self.path(problem, arm, setting), self.sizes)

    def best(self, problem: str, arm: str) -> tuple[Path, dict[str, Any]] | None:
        """The finished arm with the lowest NLL on ``select`` of the settings that were run here; None without one."""
        paths = [self.path(problem, arm, one) for one in SETTINGS[arm]]
        found = [(path, one) for path in paths if (one := read_outcome(path, self.sizes)) is not None]
        return found[least([one for _, one in found])] if found else None


def least(found: Sequence[Any]) -> int:
    """The place of the outcome with the lowest NLL on the images that choose, of equals the first."""
    losses = [one["answers"]["evaluations"]["select"] for one in found]
    return losses.index(min(losses))


def run_peers(
    plan: Plan, progress: Progress | None = None, peer: Callable[[Task], None] | None = None
) -> Iterator[str]:
    """Runs what is missing, the arms that matter most over all problems first; yields each arm's name when it is done.

    peer: runs a gradient-free peer; None is an environment of its own.

    Raises:
        ConfigError: no arm is meant by ``only``, or one needs another's figures that are missing. What
            ``train_parents`` and a peer's process raise.
    """
    progress, names = progress or Progress(), list(SETTINGS)
    if not any(plan.wanted(problem, arm) for problem in plan.problems() for arm in names):
        raise ConfigError(f"only = {plan.only!r}: no PROBLEM/ARM of {plan.problems()[0]}/… and {', '.join(names)}.")
    train_parents(plan.out / "parents", plan.architectures, plan.seeds, Recipe(), progress, EARLY)
    progress.stage("arms", sum(1 for _ in _every(plan)), unit="arms")
    with _one_thread(), closing(OwnEnvironment(plan.out / "peers.log")) as apart:
        for problem, arm in _every(plan):
            for setting in plan.settings(problem, arm):
                if plan.read(problem, arm, setting) is None:
                    _run(plan, problem, arm, setting, (peer or apart.run) if arm in SEARCHED else run_task)
                    yield f"{problem}/{arm}" + ("" if setting is None else f" at {setting}")
            progress.advance(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, for every arm alike, as long as the context is open."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _every(plan: Plan) -> Iterator[tuple[str, str]]:
    """(problem, arm), in order."""
    names = list(SETTINGS)
    for arms in (names[:FIRST], names[FIRST:]):
        for problem in _by_seed(plan):
            yield from ((problem, arm) for arm in arms if plan.wanted(problem, arm))


def _by_seed(plan: Plan) -> Iterator[str]:
    yield from (f"{name}-{seed}" for seed in plan.seeds for name in plan.architectures)


def _run(plan: Plan, problem: str, arm: str, setting: Any, run: Callable[[Task], None]) -> None:
    path = plan.path(problem, arm, setting)
    path.parent.mkdir(parents=True, exist_ok=True)
    run(Task(opened(plan, problem), arm, setting, plan.sizes, _seconds(plan, problem, arm), path))


def opened(plan: Plan, problem: str) -> Problem:
    """The problem with its files, which are made where they are missing."""
    name, _, seed = problem.rpartition("-")
    sizes, number = plan.sizes, int(seed)
    data = plan.out / "data" / f"{sizes.select}-{sizes.test}"
    select, test = fashion_mnist(data, number, sizes.select, sizes.test)
    weights = checkpoint(plan.out / "parents", name, number, "early")
    found = Problem(name, number, weights, select, test)
    return replace(found, **{key: getattr(found, key).absolute() for key in ("weights", "select", "test")})


def _seconds(plan: Plan, problem: str, arm: str) -> float:
    """CPU seconds of EvoRay's default on this problem, which a peer searches for at least."""
    if arm not in SEARCHED:
        return 0.0
    default = plan.read(problem, DEFAULT, None)
    if default is None:
        raise ConfigError(f"{problem}/{arm}: a peer searches for the seconds of {problem}/{DEFAULT}; run that first.")
    return float(default["answers"]["evaluations"]["seconds"])

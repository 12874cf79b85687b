"""From a study's configuration to its runs. The same plan always names the same directories, so it can be resumed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evoray.config import RunConfig
from evoray.runtime.auto import AUTO
from evoray.study.config import Side, StudyConfig, checkpoint_name, overlaid, parent_files, run_config


@dataclass(frozen=True)
class Planned:
    """One run: ``role`` is reference, grid, sweep, auto or long; ``arm`` its row in the tables."""

    role: str
    arm: str
    side: Side
    config: RunConfig
    directory: str
    """Below the study's folder."""


@dataclass(frozen=True)
class Case:
    """One parent at one seed."""

    study: StudyConfig
    parent: str
    seed: int
    path: Path

    @property
    def name(self) -> str:
        return f"{self.parent}/seed{self.seed}"

    def grid(self) -> list[Planned]:
        """One generation of every setting of both sides."""
        settings = [(one.parts, sigma) for one in self.study.sparse for sigma in one.sigma]
        return [
            *(self._planned("grid", "sparse", "sparse", parts, sigma) for parts, sigma in settings),
            *(self._planned("grid", "dense", "dense", 1, sigma) for sigma in self.study.dense.sigma),
        ]

    def reference(self) -> list[Planned]:
        """The better checkpoint, as the parent of a run as small as can be: what counts is its figures on test."""
        if self.study.reference is None:
            return []
        over = {
            "parent": {"weights": checkpoint_name(self.study.reference, self.parent, self.seed)},
            "search": {"children": 2, "generations": 1},
            "ensemble": {"size": 1},
        }
        config = run_config(self.study, self.path, self.parent, self.seed, over)
        return [Planned("reference", "reference", "sparse", config, f"{self.name}/reference")]

    def sweep(self) -> list[Planned]:
        """One generation at every sigma of the sweep, and at ``"auto"``; settings of the grid are the grid's runs."""
        if self.study.sweep is None:
            return []
        parts = self.study.sweep.parts
        side: Side = "dense" if parts == 1 else "sparse"
        planned = [self._planned("sweep", "sweep", side, parts, sigma) for sigma in self.study.sweep.sigma]
        if self.study.sweep.auto:
            planned.append(self._planned(AUTO, AUTO, side, parts, AUTO))
        return planned

    def long(self, chosen: dict[Side, Planned]) -> list[Planned]:
        """Several generations of each arm, from the setting its side chose."""
        if self.study.long is None:
            return []
        return [self._long(name, chosen[arm.side]) for name, arm in self.study.long.arms.items()]

    def runs(self) -> int:
        """How many runs the case has."""
        arms = len(self.study.long.arms) if self.study.long else 0
        arms += len(self.reference())
        return len({planned.directory for planned in (*self.grid(), *self.sweep())}) + arms

    def _planned(self, role: str, arm: str, side: Side, parts: int, sigma: float | str) -> Planned:
        name = sigma if isinstance(sigma, str) else f"{sigma:g}"
        over = {
            "mutation": {"parts": parts, "sigma": sigma},
            "search": {"children": self.study.children, "generations": 1},
        }
        config = run_config(self.study, self.path, self.parent, self.seed, over)
        return Planned(role, arm, side, config, f"{self.name}/one/parts{parts}-sigma{name}")

    def _long(self, name: str, chosen: Planned) -> Planned:
        long = self.study.long
        assert long is not None
        mutation = chosen.config.mutation
        over: dict[str, Any] = {
            "mutation": {"parts": mutation.disjoint, "sigma": mutation.sigma},
            "search": {"children": long.children or self.study.children, "generations": long.generations},
        }
        config = run_config(self.study, self.path, self.parent, self.seed, overlaid(over, long.arms[name].run))
        slug = "".join(letter if letter.isalnum() else "-" for letter in name)
        return Planned("long", name, chosen.side, config, f"{self.name}/long/{slug}")


def cases(study: StudyConfig, folder: Path) -> Iterator[Case]:
    """Seed by seed, so that a study that is cut short has something of every parent."""
    files = parent_files(study, folder)
    for seed in study.seeds:
        for parent, path in files.items():
            yield Case(study, parent, seed, path)

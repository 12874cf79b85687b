"""A study's configuration: which parents, which settings, how they are compared."""

import os
from collections.abc import Mapping, Sequence
from glob import escape, glob
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evoray.config import RunConfig, parse_config, read_toml, validated
from evoray.errors import ConfigError
from evoray.runtime.limits import CHILDREN, GENERATIONS, TEXT
from evoray.runtime.reading import quoted, said, shown

Sigma = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sigmas = Annotated[tuple[Sigma, ...], Field(min_length=1, max_length=1000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Parts = Annotated[int, Field(ge=1, le=2**31)]
Side = Literal["sparse", "dense"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=TEXT)


class SparseConfig(_Section):
    """One K of the sparse side, with every sigma that is tried at it."""

    parts: Annotated[int, Field(ge=2, le=2**31)]
    sigma: Sigmas


class DenseConfig(_Section):
    """The dense side's: K = 1 with every sigma."""

    sigma: Sigmas


class ArmConfig(_Section):
    """One way of going on for several generations, from the setting its side chose by ``select``."""

    side: Side
    run: dict[str, Any] = {}
    """Laid over the run, such as ``mutation.subspace = "static"``."""


DEFAULT_ARMS = {
    "dense": ArmConfig(side="dense"),
    "sparse, dynamic": ArmConfig(side="sparse"),
    "sparse, static": ArmConfig(side="sparse", run={"mutation": {"subspace": "static"}}),
}


class LongConfig(_Section):
    """Several generations of each arm, at the same number of evaluations."""

    generations: Annotated[int, Field(ge=2, le=GENERATIONS)] = 10
    children: Annotated[int, Field(ge=2, le=CHILDREN)] | None = None
    """A generation; the study's ``children`` where it is left out."""
    arms: dict[str, ArmConfig] = DEFAULT_ARMS


class SweepConfig(_Section):
    """Sigmas at one K, to hold ``sigma = "auto"`` against; they take no part in the choice of a setting."""

    parts: Parts
    sigma: Annotated[tuple[Sigma, ...], Field(min_length=2, max_length=1000)]
    auto: bool = True
    """Whether ``sigma = "auto"`` is run too."""


class StudyConfig(_Section):
    """What ``jobs/paper.py`` runs: parents x seeds x settings."""

    title: str
    parents: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)]
    """Configurations of runs, as paths or patterns relative to the study's own folder; a file's stem is its name."""
    weights: str | None = None
    """Checkpoints of the parents where a seed has its own: ``parents/{parent}-seed{seed}.safetensors``."""
    reference: str | None = None
    """Better checkpoints of the same parents, such as fully trained ones: how far towards them does a search go?"""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=10_000)] = (0,)
    children: Annotated[int, Field(ge=2, le=CHILDREN)] = 40
    sparse: Annotated[tuple[SparseConfig, ...], Field(min_length=1, max_length=1000)]
    dense: DenseConfig
    long: LongConfig | None = None
    sweep: SweepConfig | None = None
    run: dict[str, Any] = {}
    """Laid over every parent's configuration, such as its data and its compute."""

    @model_validator(mode="after")
    def _fair(self) -> Self:
        sparse, dense = sum(len(one.sigma) for one in self.sparse), len(self.dense.sigma)
        if sparse != dense:
            raise ValueError(
                f"the sparse side tries {sparse} settings and the dense side {dense}: give both the same number, "
                "or the side that tries more has the better chance"
            )
        settings = [(one.parts, sigma) for one in self.sparse for sigma in one.sigma]
        named = (("seeds", self.seeds), ("sparse", settings), ("dense.sigma", self.dense.sigma))
        for name, values in named:
            if len(set(values)) != len(values):
                raise ValueError(f"{name} names one value twice")
        return self


def load_study(path: str | Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Reads a study's TOML file with ``a.b=value`` overrides, and checks that its parents' files are there.

    Raises:
        ConfigError: the file or a parent's file cannot be read, or a key is wrong.
    """
    study = validated(StudyConfig, read_toml(path, overrides), str(path))
    parent_files(study, Path(path).parent)
    return study


def seeds_override(given: str) -> str:
    """``0,1,2`` of ``--seeds`` as an override of the study; ConfigError where that is no list of whole numbers."""
    return f"seeds=[{','.join(map(str, seeds_of(given)))}]"


def seeds_of(given: str) -> tuple[int, ...]:
    """``0,1,2`` as numbers.

    Raises:
        ConfigError: that is no list of whole numbers.
    """
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 19 for part in parts):
        raise ConfigError(f'--seeds "{shown(given, 60)}": give whole numbers from 0, such as --seeds 0,1,2.')
    return tuple(map(int, parts))


def parent_files(study: StudyConfig, folder: Path) -> dict[str, Path]:
    """Name -> configuration of every parent, in the order given (a pattern's in alphabetical order)."""
    found: dict[str, Path] = {}
    for pattern in study.parents:
        try:
            paths = [Path(name) for name in sorted(glob(os.path.join(escape(str(folder)), pattern)))]
        except (ValueError, OSError, RecursionError) as error:
            raise ConfigError(f"parents: {quoted(pattern)}: no pattern of files ({said(error)}).") from None
        if not paths:
            raise ConfigError(f'parents: "{shown(pattern)}" matches no file in {folder}. Name configurations of runs.')
        for path in paths:
            if found.setdefault(path.stem, path) != path:
                raise ConfigError(f"parents: {found[path.stem]} and {path} have one name. Rename one of them.")
    return found


def overlaid(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with every key of ``over`` set, section by section."""
    merged = dict(values)
    for key, value in over.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = overlaid(before, value) if both else value  # type: ignore[arg-type]
    return merged


def run_config(study: StudyConfig, path: Path, parent: str, seed: int, over: Mapping[str, Any]) -> RunConfig:
    """One run of the study: the parent's file, what the study lays over it, then ``over``."""
    values = overlaid(read_toml(path), study.run) | {"seed": seed}
    if study.weights is not None:
        values = overlaid(values, {"parent": {"weights": checkpoint_name(study.weights, parent, seed)}})
    return parse_config(overlaid(values, over), str(path), path.resolve().parent)


def checkpoint_name(pattern: str, parent: str, seed: int) -> str:
    """``{parent}`` and ``{seed}`` filled in."""
    return pattern.replace("{parent}", parent).replace("{seed}", str(seed))

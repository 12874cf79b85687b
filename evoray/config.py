"""A run's configuration: pydantic models, read from TOML. Imports neither torch nor ray.

Every key has a default except the parent and the data; unknown keys are errors. A value that the
run has to look up (``"auto"``) is resolved once by the search and recorded in ``config.json``.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evoray.errors import ConfigError

Auto = Literal["auto"]
Fraction = Annotated[float, Field(gt=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParentConfig(_Section):
    """The pretrained network."""

    source: Literal["torchvision", "timm", "module"] = "torchvision"
    name: str
    """Architecture, or ``package.module:function`` for ``source = "module"``."""
    weights: str | None = None
    """An enum name, ``random``, or a .safetensors or .pth file; a module may bring its own."""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both or neither")
        if self.mean is not None and self.std is not None:
            if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
                raise ValueError("mean and std need one value a channel (1 or 3)")
            if not all(math.isfinite(value) for value in (*self.mean, *self.std)):
                raise ValueError("mean and std must be finite")
            if any(value <= 0 for value in self.std):
                raise ValueError("every std must be > 0")
        if self.source == "module" and ":" not in self.name:
            raise ValueError(f'name = "{self.name}": a module parent is named "package.module:function"')
        if self.source != "module" and self.weights is None:
            raise ValueError('weights is missing: an enum name, "random", or a checkpoint file')
        return self


class DataConfig(_Section):
    """The images: ``select`` chooses among children, ``test`` is what is reported."""

    path: str
    select: Fraction = 0.5
    test: Fraction = 0.5
    test_path: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _whole_sets(cls, values: Any) -> Any:
        """With a test set of its own, each set is used whole unless a fraction was given."""
        if isinstance(values, dict) and values.get("test_path") is not None:
            return {"select": 1.0, "test": 1.0, **values}
        return values

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        if self.test_path is None and self.select + self.test > 1 + 1e-12:
            raise ValueError(
                f"select = {self.select} and test = {self.test} overlap: they are cut from one set, "
                "so their sum is at most 1"
            )
        return self


class MutationConfig(_Section):
    """What one mutation is (format 1)."""

    sigma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    parts: Annotated[int, Field(ge=1, le=2**31)] = 10
    scale: Literal["rms", "absolute"] = "rms"
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    antithetic: bool = False
    subspace: Literal["dynamic", "static"] = "dynamic"


class SearchConfig(_Section):
    """How many children, and how the next ones are chosen."""

    strategy: Literal["decomposition"] = "decomposition"
    children: Annotated[int, Field(ge=1)] = 40
    generations: Annotated[int, Field(ge=1)] = 1


class FitnessConfig(_Section):
    """What children are ranked by; higher is better inside (``nll`` counts negative)."""

    name: str = "nll"

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ("nll", "top1", "top5") and ":" not in name:
            raise ValueError(f'"{name}" is none of nll, top1, top5, nor a "package.module:function"')
        return name


class EnsembleConfig(_Section):
    """Who is in the ensemble."""

    method: Literal["top-k"] = "top-k"
    size: Annotated[int, Field(ge=1)] = 8


class ComputeConfig(_Section):
    """Where and how children are evaluated; all of it is a recorded part of a run."""

    backend: Literal["ray", "local"] = "ray"
    workers: Annotated[int, Field(ge=1)] | Auto = "auto"
    cpus_per_worker: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1
    threads_per_worker: Annotated[int, Field(ge=1)] | Auto = "auto"
    gpus_per_worker: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Auto = "auto"
    device: str = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    batch_size: Annotated[int, Field(ge=1)] = 256
    compile: bool = False
    deterministic: bool = True

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if device not in ("auto", "cpu", "cuda") and not device.startswith("cuda:"):
            raise ValueError(f'"{device}" is none of auto, cpu, cuda')
        return device


class RunConfig(_Section):
    """One run. ``resolved`` values (threads, device, workers) replace every ``"auto"`` before work starts."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    parent: ParentConfig
    data: DataConfig
    mutation: MutationConfig = MutationConfig()
    search: SearchConfig = SearchConfig()
    fitness: FitnessConfig = FitnessConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    compute: ComputeConfig = ComputeConfig()


def parse_config(values: dict[str, Any], origin: str = "the configuration") -> RunConfig:
    """A validated configuration; raises ConfigError with one line a wrong key."""
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors()]
        raise ConfigError(f"{origin}: " + "; ".join(lines)) from None


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Reads a TOML file and applies ``a.b=value`` overrides (values in TOML's own syntax)."""
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Name a run's configuration in TOML.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML ({error}).") from None
    for override in overrides:
        _override(values, override)
    return parse_config(values, str(path))


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: write it as section.key=value, such as mutation.sigma=0.05.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string: --set compute.backend=local
    *sections, leaf = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override}: {section} is not a section.")
    values[leaf] = value


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown key {key} = {item['input']!r} (README.md lists every key)"
    if item["type"] == "missing":
        return f"{key} is missing"
    message = item["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(item["input"], dict) else f" = {item['input']!r}"
    return f"{key or 'the run'}{shown}: {message}"

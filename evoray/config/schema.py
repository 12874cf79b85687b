"""A run's configuration: pydantic models, read from TOML. Imports neither torch nor ray.

Every key has a default except the parent and the data; unknown keys are errors. A value that the
run has to look up (``"auto"``) is resolved once by the search and recorded in ``config.json``.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from evoray.config.fitness import FitnessConfig
from evoray.config.strategies import MUTATION_OF, Auto, DecompositionSearch, SearchConfig, Section, strategy_of

Fraction = Annotated[float, Field(gt=0, le=1)]
BACKENDS = ("ray", "local")


class ParentConfig(Section):
    """The pretrained network."""

    source: Literal["torchvision", "timm", "module"] = "torchvision"
    name: str
    """Architecture, or ``package.module:function`` for ``source = "module"``."""
    weights: str | None = None
    """An enum name, ``random``, or a .safetensors or .pth file; a module may bring its own."""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    download: bool = False
    """Whether named weights may be fetched where they are not in the library's cache."""

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


class DataConfig(Section):
    """The images: ``select`` chooses among children, ``test`` is what is reported."""

    path: str
    select: Fraction = 0.5
    test: Fraction = 0.5
    test_path: str | None = None
    outputs: Auto | Literal["in-order"] | tuple[Annotated[int, Field(ge=0)], ...] = "auto"
    """The parent's output for each class: by name where both class lists are known, else in order."""
    cache_dir: str | None = None
    """Where each node keeps shards fetched from a URI: an absolute path, or one in ``~``."""
    cache_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """At most so much of them on one node."""

    @field_validator("cache_dir")
    @classmethod
    def _same_on_every_node(cls, folder: str | None) -> str | None:
        if folder is not None and not folder.startswith(("/", "~")):
            raise ValueError("give an absolute path, or one in ~: every node has one of its own there")
        return folder

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


class MutationConfig(Section):
    """What one mutation is (format 1)."""

    sigma: float | Auto = 0.1
    parts: Annotated[int, Field(ge=1, le=2**31)] = 10
    scale: Literal["rms", "absolute"] = "rms"
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    antithetic: bool = False
    subspace: Literal["dynamic", "static"] = "dynamic"

    @property
    def sigma_is_auto(self) -> bool:
        """Whether the run chooses it."""
        return self.sigma == "auto"

    @field_validator("sigma", mode="before")
    @classmethod
    def _positive(cls, sigma: Any) -> Any:
        number = isinstance(sigma, int | float) and not isinstance(sigma, bool)
        if sigma != "auto" and not (number and math.isfinite(sigma) and sigma > 0):
            raise ValueError('a number greater than 0, or "auto"')
        return sigma


class EnsembleConfig(Section):
    """Who is in the ensemble, and how its members are combined."""

    method: Literal["top-k", "greedy", "weighted", "majority"] = "top-k"
    """``top-k``: the fittest, equal voices. ``greedy``: drawn with replacement for the lowest NLL. ``weighted``: the
    fittest, with the weights of lowest NLL. ``majority``: the fittest, a vote each."""
    size: Annotated[int, Field(ge=1)] = 8
    keep_logits: bool = False
    """Members' logits on ``test`` as Arrow files in the run directory, written by the workers."""
    pool: Annotated[int, Field(ge=1)] = 32
    """How many of the fittest children ``greedy`` chooses from."""
    temperature: bool = False
    """Scales the ensemble's confidence by one number fitted on ``select``, and the parent's beside it."""


class SoupConfig(Section):
    """Which soup is handed back."""

    method: Literal["strategy", "uniform", "greedy"] = "strategy"
    recalibrate: bool = False
    """Whether the soup is also measured with BatchNorm statistics of its own, taken on ``select``."""


class StatisticsConfig(Section):
    """What is measured beyond the networks handed back."""

    children_on_test: Annotated[int, Field(ge=0)] | Auto = "auto"
    """Children drawn by chance and looked at on ``test``, to see what ``select`` is worth; auto costs about a tenth."""


class ComputeConfig(Section):
    """Where and how children are evaluated; all of it is a recorded part of a run."""

    backend: str = "ray"
    """``ray``, ``local``, or ``package.module:make`` for one of the user's own, made of this section."""
    workers: Annotated[int, Field(ge=1)] | Auto = "auto"
    cpus_per_worker: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1
    threads_per_worker: Annotated[int, Field(ge=1)] | Auto = "auto"
    gpus_per_worker: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Auto = "auto"
    accelerator: str | None = None
    """Only nodes with this kind of accelerator (Ray's ``accelerator_type``, such as A100)."""
    device: str = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    batch_size: Annotated[int, Field(ge=1)] | Auto = 256
    """Images a forward pass; ``auto`` times a few on a worker, and the run records what it found."""
    layout: Literal["channels-last", "contiguous"] = "channels-last"
    """How images and convolutions' weights lie in memory."""
    compile: bool = False
    cuda_graphs: bool = False
    """Replay a captured forward pass in place of launching its kernels one by one; needs a GPU."""
    resident_gib: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Auto = "auto"
    """Shards that a worker keeps ready, in GiB; auto: 2, or half of a GPU's free memory."""
    deterministic: bool = True

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, backend: str) -> str:
        if backend not in BACKENDS and not all(backend.partition(":")):
            raise ValueError(f'"{backend}" is none of {", ".join(BACKENDS)}, package.module:make (one of your own)')
        return backend

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if device not in ("auto", "cpu", "cuda") and not device.startswith("cuda:"):
            raise ValueError(f'"{device}" is none of auto, cpu, cuda')
        return device


class RunConfig(Section):
    """One run. ``resolved`` values (threads, device, workers) replace every ``"auto"`` before work starts."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    parent: ParentConfig
    data: DataConfig
    mutation: MutationConfig = MutationConfig()
    search: SearchConfig = DecompositionSearch()
    fitness: FitnessConfig = FitnessConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    soup: SoupConfig = SoupConfig()
    statistics: StatisticsConfig = StatisticsConfig()
    compute: ComputeConfig = ComputeConfig()

    def with_sigma(self, sigma: float) -> RunConfig:
        """The same run with that sigma, where the file says ``"auto"``."""
        return self.model_copy(update={"mutation": self.mutation.model_copy(update={"sigma": sigma})})

    @model_validator(mode="before")
    @classmethod
    def _strategy_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("mutation", {}), dict):
            return values
        own = MUTATION_OF.get(str(strategy_of(values.get("search", {}))), {})
        return {**values, "mutation": {**own, **values.get("mutation", {})}} if own else values

    @model_validator(mode="after")
    def _strategy_fits(self) -> Self:
        name, mutation = self.search.strategy, self.mutation
        if name == "cma-es" and mutation.subspace != "static":
            raise ValueError('mutation.subspace = "dynamic": cma-es learns one subspace, leave it out or set "static"')
        if name == "cma-es" and mutation.antithetic:
            raise ValueError("mutation.antithetic = true: cma-es draws its own candidates, set it to false")
        if self.search.racing and name in ("evolution-strategy", "cma-es"):
            raise ValueError(
                f"search.racing = true: {name} learns from every child, and racing tells only the best apart"
            )
        if name == "randopt" and mutation.parts != 1:
            raise ValueError(f"mutation.parts = {mutation.parts}: randopt is dense, leave it out or set 1")
        return self

"""A run's configuration: pydantic models, read from TOML. Imports neither torch nor ray.

Every key has a default except the parent and the data; unknown keys are errors. A value that the
run has to look up (``"auto"``) is resolved once by the search and recorded in ``config.json``.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from evoray.config.allowed import did_you_mean
from evoray.config.fitness import FitnessConfig
from evoray.config.guard import NAME, check_names, first_of, one_or_many, parse_keep, spelled_out
from evoray.config.mutation import MutationConfig
from evoray.config.search import SearchConfig
from evoray.config.section import Auto, Members, Section
from evoray.config.task import TaskConfig
from evoray.config.tracking import TrackingConfig
from evoray.config.variants import Variant, table_at
from evoray.config.weights import member_of
from evoray.runtime import limits
from evoray.runtime.auto import given

Output = Annotated[int, Field(ge=0, lt=limits.OUTPUTS)]
Fraction = Annotated[float, Field(gt=0, le=1)]
BACKENDS = ("ray", "local")


class ParentConfig(Section):
    """The pretrained network."""

    source: Literal["torchvision", "timm", "module", "transformers", "onnx"] = "torchvision"
    """Where the network comes from."""
    name: str
    """Architecture, ``package.module:function`` for ``source = "module"``, for ``transformers`` a folder as
    ``save_pretrained`` writes it, or for ``onnx`` an .onnx file."""
    weights: str | None = None
    """An enum name, ``random``, or a file of weights; a module may bring its own."""
    weights_key: Annotated[str, Field(min_length=1)] | None = None
    """Which of several networks in a file: a path into its dictionaries, such as ``model_ema``."""
    classes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Outputs the architecture is built with; else its own, or as many as the file's head has."""
    mean: tuple[float, ...] | None = None
    """Normalisation of images, a value a channel, for a parent that brings none; ``std`` beside it."""
    std: tuple[float, ...] | None = None
    """Beside ``mean``: what is left of x/255 after it is divided by this."""
    output: Annotated[str, Field(min_length=1)] | None = None
    """Of an ``onnx`` parent: which value of its graph is its answer; else ``logits``, or its first output."""
    integers: Literal["fixed", "rounded"] = "fixed"
    """Of an ``onnx`` parent: whether its int8 and uint8 weights stay, or are mutated too, by steps that are rounded to
    whole numbers by chance."""
    download: bool = False
    """Whether named weights may be fetched where they are not in the library's cache."""

    @model_validator(mode="before")
    @classmethod
    def _weights_by_name(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "weights" not in values:
            return values
        weights = member_of(values.get("source", "torchvision"), values.get("name"), values["weights"])
        return {**values, "weights": weights}

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
        if self.source == "transformers" and self.weights not in (None, "random"):
            raise ValueError(
                "weights: a transformers parent's lie in the folder that name says. Leave weights out, or say random"
            )
        if self.source == "onnx" and self.weights is not None:
            raise ValueError("weights: an onnx parent's lie in the file that name says. Leave weights out")
        if self.output is not None and self.source != "onnx":
            raise ValueError(f'output is a key of onnx parents, and source = "{self.source}". Leave it out')
        if self.integers != "fixed" and self.source != "onnx":
            raise ValueError(f'integers is a key of onnx parents, and source = "{self.source}". Leave it out')
        if self.source not in ("module", "transformers", "onnx") and self.weights is None:
            raise ValueError('weights is missing: an enum name, "random", or a checkpoint file')
        return self

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As configurations were recorded before there were ``output`` and ``integers``."""
        unused = {"output": None, "integers": "fixed"}
        return {key: value for key, value in written(self).items() if key not in unused or value != unused[key]}


class DataConfig(Section):
    """The images, or other records: ``select`` chooses among children, ``test`` is what is reported."""

    path: str
    """A directory or URI of shards (``evoray data ingest``), ``mnist5k``, ``fashion-mnist``, or ``mock:…``."""
    select: Fraction = 0.5
    """Share of the records that the search sees, to choose among children."""
    test: Fraction = 0.5
    """Share of the records that is reported, and chooses nothing."""
    test_path: str | None = None
    """Shards of a test set of its own; then both sets are used whole unless a share is given."""
    outputs: Auto | Literal["in-order", "by-number"] | tuple[Output, ...] = "auto"
    """The parent's output for each class; auto: by name where both class lists are known, else where it is no guess."""
    cache_dir: str | None = None
    """Where each node keeps shards fetched from a URI: an absolute path, or one in ``~``."""
    cache_gb: Annotated[float, Field(gt=0, le=limits.CACHE_GB, allow_inf_nan=False)] | None = None
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


class GuardConfig(Section):
    """What the parent could do elsewhere: a figure that whoever wins has to keep on data of its own."""

    name: Annotated[str, Field(pattern=NAME)]
    """In tables and messages; the last part of the data's path unless given."""
    data: DataConfig
    """As ``[data]``; ``path`` beside ``keep`` is short for ``data.path``."""
    task: SerializeAsAny[TaskConfig] | None = None
    """As ``[task]``; the run's own unless given."""
    keep: str
    """A figure of the task against the original parent's, such as ``top1 >= parent - 0.01``."""
    candidates: Annotated[int, Field(ge=1, le=limits.CHILDREN)] = 32
    """Networks judged at most, of each generation and of the last choices; who comes after them is passed over."""

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, values: Any) -> Any:
        return spelled_out(values)

    @field_validator("task", mode="before")
    @classmethod
    def _by_its_variant(cls, value: Any, info: ValidationInfo) -> Any:
        try:
            return _by_its_variant("task", value, info)
        except ValidationError as error:
            raise ValueError(first_of(error)) from None

    @field_validator("keep")
    @classmethod
    def _readable(cls, keep: str) -> str:
        parse_keep(keep)
        return keep


class EnsembleConfig(Section):
    """Who is in the ensemble, and how its members are combined."""

    method: Literal["top-k", "greedy", "weighted", "majority"] = "top-k"
    """``top-k``: the fittest, equal voices. ``greedy``: drawn with replacement for the lowest NLL. ``weighted``: the
    fittest, with the weights of lowest NLL. ``majority``: the fittest, a vote each."""
    size: Members = 8
    """Members, or draws for ``greedy``."""
    keep_logits: bool = False
    """Members' logits on ``test`` as Arrow files in the run directory, written by the workers."""
    pool: Members = 32
    """How many of the fittest children ``greedy`` chooses from."""
    temperature: bool = False
    """Scales the ensemble's confidence by one number fitted on ``select``, and the parent's beside it."""


class SoupConfig(Section):
    """Which soup is handed back."""

    method: Literal["strategy", "uniform", "greedy"] = "strategy"
    """The strategy's own; ``uniform`` and ``greedy`` also try means of members, and the fittest counts."""
    size: Members | Auto = "auto"
    """How many of the fittest children ``greedy`` tries; auto is ``ensemble.size``."""
    recalibrate: bool = False
    """Whether the soup is also measured with BatchNorm statistics of its own, taken on ``select``."""


class StatisticsConfig(Section):
    """What is measured beyond the networks handed back."""

    children_on_test: Annotated[int, Field(ge=0, le=limits.CHILDREN)] | Auto = "auto"
    """Children drawn by chance and looked at on ``test``, to see what ``select`` is worth; auto costs about a tenth."""


Dtype = Literal["float32", "bfloat16", "float16"]


class ComputeConfig(Section):
    """Where and how children are evaluated; all of it is a recorded part of a run."""

    backend: str = "ray"
    """``ray``, ``local``, or ``package.module:make`` for one of the user's own, made of this section."""
    workers: Annotated[int, Field(ge=1, le=limits.WORKERS)] | Auto = "auto"
    """Processes that evaluate; auto: as many as there is room for."""
    cpus_per_worker: Annotated[float, Field(gt=0, le=limits.CORES, allow_inf_nan=False)] = 1
    """Cores that each asks for."""
    threads_per_worker: Annotated[int, Field(ge=1, le=limits.CORES)] | Auto = "auto"
    """PyTorch's; auto is ``cpus_per_worker``. Part of a result, since it changes last bits."""
    gpus_per_worker: Annotated[float, Field(ge=0, le=limits.GPUS, allow_inf_nan=False)] | Auto = "auto"
    """GPUs that each asks for, fractions too; auto: one where ``device`` is a GPU."""
    accelerator: str | None = None
    """Only nodes with this kind of accelerator (Ray's ``accelerator_type``, such as A100)."""
    device: str = "auto"
    """``cpu`` or ``cuda``; auto: a GPU where there is one."""
    dtype: Literal[Dtype, Auto] = "float32"
    """In which children are evaluated; ``auto`` times float32 and bfloat16 on a worker, and the run records one."""
    batch_size: Annotated[int, Field(ge=1, le=limits.BATCH)] | Auto = 256
    """Images a forward pass; ``auto`` times a few on a worker, and the run records what it found."""
    layout: Literal["channels-last", "contiguous"] = "channels-last"
    """How images and convolutions' weights lie in memory."""
    compile: bool = False
    """Whether workers run ``torch.compile``."""
    cuda_graphs: bool = False
    """Replay a captured forward pass in place of launching its kernels one by one; needs a GPU."""
    resident_gib: Annotated[float, Field(ge=0, le=limits.GIB, allow_inf_nan=False)] | Auto = "auto"
    """Shards that a worker keeps ready, in GiB; auto: 2, or half of a GPU's free memory."""
    keep_activations: bool | Auto = "auto"
    """Whether children that change only the last part of the network begin there, from kept activations of their base;
    auto: where that is exact and saves work. ``true`` refuses a network that it cannot be done with."""
    deterministic: bool = True
    """Pinned algorithms on a GPU, so that results repeat bit for bit."""

    @model_validator(mode="after")
    def _threads_of_this_process(self) -> Self:
        if self.backend == "local" and isinstance(self.workers, int) and self.workers > limits.LOCAL_WORKERS:
            raise ValueError(f"workers = {self.workers}: local workers are threads, at most {limits.LOCAL_WORKERS}")
        return self

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, backend: str) -> str:
        if backend not in BACKENDS and not all(backend.partition(":")):
            own = f'"{backend}" is none of {", ".join(BACKENDS)}, package.module:make (one of your own)'
            raise ValueError(f"{own}{did_you_mean(backend, BACKENDS)}")
        return backend

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if given(device) not in (None, "cpu", "cuda") and not device.startswith("cuda:"):
            raise ValueError(f'"{device}" is none of auto, cpu, cuda{did_you_mean(device, ("auto", "cpu", "cuda"))}')
        return device


TABLES = {
    "search": ("strategy", "evoray.strategies.registry:STRATEGIES"),
    "mutation": ("kind", "evoray.mutation.registry:KINDS"),
    "task": ("name", "evoray.tasks.registry:KEYS"),
}
"""Sections that are variants: the key that names the class, and where the table of names lies."""


class RunConfig(Section):
    """One run. What it has to look up (threads, device, workers) is ``"auto"`` until its workers are known."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of masks, noise, and the cut into ``select`` and ``test``."""
    parent: ParentConfig
    data: DataConfig
    task: SerializeAsAny[TaskConfig] = TaskConfig()
    mutation: SerializeAsAny[MutationConfig] = Field(default={}, validate_default=True)
    search: SerializeAsAny[SearchConfig] = Field(default={}, validate_default=True)
    fitness: FitnessConfig = FitnessConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    soup: SoupConfig = SoupConfig()
    statistics: StatisticsConfig = StatisticsConfig()
    compute: ComputeConfig = ComputeConfig()
    guard: Annotated[tuple[GuardConfig, ...], Field(max_length=limits.GUARDS)] = ()
    tracking: TrackingConfig = TrackingConfig()

    @model_serializer(mode="wrap")
    def _without_unused(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run without guards or trackers is recorded as runs were before there were any."""
        unused = {key for key, used in (("guard", self.guard), ("tracking", self.tracking.to)) if not used}
        return {key: value for key, value in written(self).items() if key not in unused}

    @field_validator("guard", mode="before")
    @classmethod
    def _guards(cls, value: Any) -> Any:
        return one_or_many(value)

    @field_validator("guard")
    @classmethod
    def _named_apart(cls, guards: tuple[GuardConfig, ...]) -> tuple[GuardConfig, ...]:
        check_names(one.name for one in guards)
        return guards

    def with_sigma(self, sigma: float | tuple[float, ...]) -> Self:
        """The same run with that sigma, where the file says ``"auto"``."""
        return self.model_copy(update={"mutation": self.mutation.model_copy(update={"sigma": sigma})})

    @property
    def elite(self) -> int:
        """``search.elite`` as a number."""
        return given(self.search.elite) or self.ensemble.size

    @property
    def soup_size(self) -> int:
        """``soup.size`` as a number."""
        return given(self.soup.size) or self.ensemble.size

    @model_validator(mode="before")
    @classmethod
    def _strategy_defaults(cls, values: Any, info: ValidationInfo) -> Any:
        """Keys of ``[mutation]`` that the file leaves out and the strategy sets."""
        if not isinstance(values, dict):
            return values
        try:
            strategy, kind = (_variant(name, values.get(name, {}), info) for name in ("search", "mutation"))
        except ValueError:
            return values  # the section's own validator says what is wrong
        known, given = kind.Section.model_fields, values.get("mutation", {})
        own = {key: value for key, value in strategy.mutation_defaults.items() if key in known}
        return {**values, "mutation": {**own, **given}} if own and isinstance(given, dict) else values

    @field_validator("task", "mutation", "search", mode="before")
    @classmethod
    def _by_its_variant(cls, value: Any, info: ValidationInfo) -> Any:
        return _by_its_variant(str(info.field_name), value, info)

    @model_validator(mode="after")
    def _variants_fit(self, info: ValidationInfo) -> Self:
        for name in TABLES:
            _variant(name, getattr(self, name), info).check(self)
        return self


def _by_its_variant(section: str, value: Any, info: ValidationInfo) -> Any:
    """A table as the section of the class that it names."""
    if not isinstance(value, dict):
        return value
    return _variant(section, value, info).Section.model_validate(value, context=info.context)


def _variant(section: str, value: Any, info: ValidationInfo) -> type[Variant]:
    """The class that a section names, by default the first of its table. Raises as ``Variants.find``."""
    table = table_at(TABLES[section][1])
    named = value if isinstance(value, dict) else vars(value) if isinstance(value, Section) else {}
    return table.chosen(named, (info.context or {}).get("config_dir"))

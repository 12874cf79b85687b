"""What the documents of a run directory look like, as far as EvoRay reads them again.

A document is checked before anything looks into it, so whoever reads it may rely on the kinds of its values. Keys that
a model does not name are let through, and none is required but those that every version has written: old runs stay
readable. Values are handed on as they were written, not as the model would convert them.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from evoray.errors import UsageError
from evoray.runtime.reading import checked, quoted, shown, translated
from evoray.storage.tables import check_types

FORMAT = 1
"""Of every document that says one."""
REMEDY = (
    "Take the file as the run wrote it, or remove it and summary.json and go on with evoray run … --resume: both are "
    "written again from journal/."
)
BEGINNING = ("config.json", "journal/identity.json")
"""What a run begins with; nothing else says what is in it."""
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Figure = Number | None
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Text = Annotated[str, Field(strict=True, max_length=10_000)]
Table = dict[str, Any]
Rows = Annotated[list[Table], Field(max_length=1_000_000)]


class Document(BaseModel):
    """Read as it was written: other keys are allowed."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Figures(Document):
    """One network's, by name. Which there are is the task's to say."""

    n: Count | None = None
    top1: Figure = None
    top5: Figure = None
    nll: Figure = None
    ece: Figure = None
    brier: Figure = None
    id: Text | None = None


class Tested(Document):
    """The parent's on both splits."""

    select: Figures | None = None
    test: Figures | None = None


class Point(Document):
    """The ensemble after so many members."""

    size: Count | None = None
    nll: Figure = None
    top1: Figure = None


class Pairs(Document):
    """Of every two members."""

    disagreement: list[list[Figure]] = []


class Diversity(Document):
    pairs: Pairs = Pairs()


class Ensemble(Figures):
    members: list[Table] | None = None
    curve: list[Point] | None = None
    diversity: Diversity | None = None


class Both(Document):
    """One child on both splits."""

    select: Figure = None
    test: Figure = None


class Correlation(Document):
    spearman: Figure = None


class Children(Document):
    """What is known of children beyond the best."""

    sample: list[Both] = []
    parent: Both = Both()
    select_test: Correlation | None = None
    better_on_select: Table | None = None
    better_on_test: Table | None = None


class Bins(Document):
    """Sums by bin of confidence."""

    counts: list[Number] = []
    confidence: list[Number] = []
    hits: list[Number] = []


class Work(Document):
    stages: dict[str, Number] = {}


class Statistics(Document):
    """``soup_recalibrated``: with the digest of its file of statistics."""

    buffers_sha256: Text


class Summary(Document):
    """``summary.json``"""

    run_id: Text | None = None
    verdict: Text | None = None
    fitness: Text | None = None
    splits: dict[str, Figure] | None = None
    parent: Tested | None = None
    best_child: Figures | None = None
    soup: Figures | None = None
    soup_recalibrated: Statistics | None = None
    ensemble: Ensemble | None = None
    children: Children | None = None
    comparisons: list[Table] | None = None
    guards: list[Table] | None = None
    reliability: dict[str, Bins] | None = None
    mutation: Table | None = None
    work: Work | None = None


class Config(Document):
    """``config.json``: every section a table. Its keys are the schema's to check, where a run is resumed."""

    parent: Table
    data: Table | None = None
    task: Table | None = None
    mutation: Table | None = None
    search: Table | None = None
    fitness: Table | None = None
    ensemble: Table | None = None
    soup: Table | None = None
    statistics: Table | None = None
    compute: Table | None = None
    guard: list[Table] | None = None
    tracking: Table | None = None


class Identity(Document):
    """``journal/identity.json``"""

    run_id: Text
    parent: Text
    space: Text
    data: dict[str, Text]
    guards: dict[str, dict[str, Text]] | None = None
    config: Table | None = None


class Told(Document):
    """One tracker, and how far it was told."""

    id: Text | None = None
    where: Text | None = None
    delivered: Count = 0
    ended: Annotated[bool, Field(strict=True)] = False


class Tracking(Document):
    """``tracking.json``"""

    trackers: dict[str, Told] = {}


class Cell(Document):
    """One sigma and density of a window."""

    sigma: Positive | None = None
    density: Annotated[float, Field(strict=True, gt=0, le=1)] | None = None
    mean: Figure = None
    std: Figure = None
    best: Figure = None
    worst: Figure = None
    share_better: Figure = None


class Widest(Document):
    density: Annotated[float, Field(strict=True, gt=0, le=1)]
    sigma: Figure = None
    share_kept: Figure = None


class Window(Document):
    """``window.json``"""

    parent: Figures | None = None
    cells: list[Cell] = []
    widest: list[Widest] = []


class Measured(Document):
    """A fitness, as ``summary.json`` has its measures."""

    name: Text
    label: Text
    short: Text
    unit: Text
    higher_is_better: Annotated[bool, Field(strict=True)]
    said: Text


class Valued(Document):
    """A candidate and its fitness, in the direction in which people know it."""

    id: Text
    value: Number


class Working(Document):
    """The stage that a run is at. seconds: that it has taken; left: that it will still take, as it went so far."""

    name: Text
    part: Text
    total: Count
    done: Count
    known: Count = 0
    shards: Count = 1
    seconds: Number = 0.0
    left: Figure = None
    rate: Figure = None


class Block(Document):
    """What a block of the weights was given, and gained: children, and the best one's fitness."""

    block: Count
    children: Count
    best: Figure = None


class Live(Document):
    """``state.json``: how far a run is, written while it goes on and gone when it has finished."""

    run_id: Text = ""
    began: Number = 0.0
    written: Number = 0.0
    counted: Text = "images"
    measure: Measured | None = None
    stage: Working | None = None
    children: Count = 0
    failed: Count = 0
    images: Count = 0
    generation_s: Figure = None
    parent_fitness: Figure = None
    top: list[Valued] = []
    blocks: list[Block] = []
    workers: dict[str, Count] = {}
    notes: list[Text] = []
    error: Text | None = None


MODELS: Mapping[str, type[BaseModel]] = {
    "summary.json": Summary,
    "config.json": Config,
    "journal/identity.json": Identity,
    "window.json": Window,
    "tracking.json": Tracking,
    "state.json": Live,
}
FIGURES = ("top1", "top5", "nll", "ece", "brier", "fitness")
TABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "population.parquet": {
        "text": ("child_id", "status", "entries", "coefficients"),
        "int": ("generation", "child", "mask_seed", "blocks", "block", "parts", "part", "noise_seed", "sign", "rank"),
        "float": ("sigma", *(f"{split}_{name}" for split in ("select", "test") for name in ("n", *FIGURES))),
    }
}
REQUIRED = {"population.parquet": ("child_id", "generation", "status")}


def remedy_of(name: str) -> str:
    """What is to be done about a file of a run directory that is damaged."""
    if name == "state.json":
        return "Remove it: a run that goes on writes it again, and all else is in its other files."
    return "Take the file as the run wrote it, or start a new run." if name in BEGINNING else REMEDY


def check_document(name: str, value: Any, origin: str) -> Any:
    """The value itself; UsageError names the key whose kind is another."""
    if isinstance(value, Mapping) and (found := value.get("format", FORMAT)) != FORMAT:
        raise UsageError(
            f"{shown(origin)}: its format is {quoted(found, 40)}, and this EvoRay reads {FORMAT}. It is damaged, or of "
            f"another version of EvoRay: use the one that wrote it. {remedy_of(name)}"
        )
    if (model := MODELS.get(name)) is not None:
        checked(model, value, origin, remedy_of(name), UsageError)
    return value


def check_table(name: str, table: pa.Table, origin: str) -> pa.Table:
    """The table itself; UsageError names the column whose kind is another, or that has empty cells."""
    with translated(origin, REMEDY, UsageError):
        check_types(table, TABLES.get(name, {}), REQUIRED.get(name, ()))
    return table

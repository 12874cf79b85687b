"""What every network of a finished run scored on every test record: what pairs two runs.

The final test's arrays stand in the run's journal, so nothing is evaluated again. Where the journal is gone, the
ensemble's answers in ``predictions.parquet`` are what is left. A score is used only where its mean is the figure that
``summary.json`` reports, so whatever was misread is not compared.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evoray.errors import EvorayError, UsageError
from evoray.report.finished_run import Run as Finished
from evoray.runs.groups import Groups, groups_of
from evoray.runs.run import Run
from evoray.storage.directory import unpack_arrays
from evoray.storage.documents import BEGINNING
from evoray.storage.journal import Journal
from evoray.tasks.registry import TASKS

STAGE = "panel/test"
"""Of the journal: the networks that are reported, on ``test``."""
CLOSE = 1e-6
"""How far a mean may be from what the summary reports, of it; predictions are kept in float32."""
DEFAULT_TASK = "image-classification"
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RecordScores:
    """A run's test records in order.

    data: digest of the dataset. index: of each record in it, int64 [n]. label: [n, ...]. scores: of each network by
    figure, float64 [n]. source: where they were found.
    """

    data: str
    index: np.ndarray
    label: np.ndarray
    scores: Mapping[str, Mapping[str, np.ndarray]]
    source: str
    groups: Mapping[str, Groups] = field(default_factory=dict)
    """Of networks whose fitness is no mean of records."""


def records_of(run: Run) -> RecordScores:
    """Raises UsageError where the run kept nothing of its test records, and says why."""
    identity = run.directory.read_json(BEGINNING[1])
    data = (identity.get("data") or {}).get("test")
    if not isinstance(data, str):
        raise UsageError(f"{run.directory.location}: it did not record which dataset its test records are of.")
    finished = Finished(run.summary, [])
    groups: Mapping[str, Groups] = {}
    try:
        index, label, scores, groups = _from_journal(run, finished)
        source = "journal"
    except (EvorayError, KeyError, ValueError, TypeError, IndexError):
        index, label, scores = _from_predictions(run)
        source = "predictions.parquet"
    known = {network: _reported(finished, network, values) for network, values in scores.items()}
    scores = {name: values for name, values in known.items() if values}
    return RecordScores(data, index, label, scores, source, groups)


def _reported(finished: Finished, network: str, scores: Arrays) -> dict[str, np.ndarray]:
    """The scores whose means are the figures of the summary."""
    found = {}
    for figure, values in scores.items():
        if network not in finished.networks or figure not in finished.measures:
            continue
        try:
            reported = finished.test(network, figure)
        except UsageError:
            continue
        if reported is not None and math.isclose(float(np.mean(values)), reported, rel_tol=CLOSE, abs_tol=1e-9):
            found[figure] = values
    return found


def _from_journal(run: Run, finished: Finished) -> tuple[np.ndarray, np.ndarray, dict[str, Arrays], dict[str, Groups]]:
    """index, label, each network's scores and groups; whatever does not fit raises."""
    shards = _shards(run, finished)
    index = np.concatenate([one["index"] for one in shards])
    label = np.concatenate([one["label"] for one in shards])
    names = _names(run, finished)
    beside = {"index", "label", "classes", "probability", "votes"}
    kept = [
        name
        for name, array in shards[0].items()
        if name not in beside and array.shape[:2] == (len(names), len(shards[0]["index"]))
    ]
    arrays = {name: np.concatenate([one[name] for one in shards], axis=1) for name in kept}
    task = (run.config.get("task") or {}).get("name", DEFAULT_TASK)
    scores: dict[str, Arrays] = {
        name: _compared(task, {key: array[row] for key, array in arrays.items()}) for row, name in enumerate(names)
    }
    return index, label, scores, groups_of(finished, task, names, shards)


def _shards(run: Run, finished: Finished) -> list[dict[str, np.ndarray]]:
    """The final test's results, shard by shard; UsageError where some are missing."""
    records = finished.get("splits", "test")
    found: dict[int, dict[str, np.ndarray]] = {}
    left = records
    if run.directory.names("journal"):
        for _, shard, payload in Journal(run.directory, finished.get("run_id")).newest(STAGE):
            if shard not in found:
                found[shard] = unpack_arrays(payload)
                left -= len(found[shard]["index"])
            if left <= 0:
                break
    if left != 0:
        raise UsageError(f"{run.directory.location}: its journal does not hold what its networks did on test.")
    return [found[shard] for shard in sorted(found)]


def _names(run: Run, finished: Finished) -> tuple[str, ...]:
    """Rows of the arrays, as ``PanelUnit.names`` orders them."""
    calibrated = bool(run.summary.get("calibrated"))
    return tuple(_each_name(finished.networks, calibrated))


def _each_name(networks: list[str], calibrated: bool) -> Iterator[str]:
    yield from (name for name in networks if name != "ensemble")
    if calibrated:
        yield "parent_calibrated"
    if "ensemble" in networks:
        yield "ensemble"
        if calibrated:
            yield "ensemble_uncalibrated"


def _compared(task: str, records: Arrays) -> dict[str, np.ndarray]:
    """One network's scores by figure, of what its task keeps of every record: as it compares them, and as they are.

    ``compared`` hangs on a task's class alone, so the task's own keys, such as a user's reward, are not needed.
    """
    kind: Any = TASKS.get(task)  # None for a user's
    found = {**records, **(kind.compared(kind, records) if kind else {})}
    return {
        name: np.asarray(values, np.float64)
        for name, values in found.items()
        if np.ndim(values) == 1 and np.asarray(values).dtype.kind in "fiub"
    }


def _from_predictions(run: Run) -> tuple[np.ndarray, np.ndarray, dict[str, Arrays]]:
    """The ensemble's alone: whether its likeliest class is right, and NLL where the probability of each is kept."""
    table = run.predictions
    if not {"index", "label", "classes", "probabilities"} <= set(table.column_names) or not len(table):
        raise UsageError(
            f"{run.directory.location}: neither its journal nor its predictions say how test records fared."
        )
    index, label = (np.asarray(table[name].to_pylist()) for name in ("index", "label"))
    classes = np.asarray(table["classes"].to_pylist())
    probability = np.asarray(table["probabilities"].to_pylist(), np.float64)
    hit = classes == label[:, None]
    scores: dict[str, np.ndarray] = {"top1": hit[:, 0].astype(np.float64)}
    if hit.any(axis=1).all():
        with np.errstate(divide="ignore"):
            scores["nll"] = -np.log((probability * hit).sum(axis=1))
    if classes.shape[1] >= 5:
        scores["top5"] = hit[:, :5].any(axis=1).astype(np.float64)
    return index, label, {"ensemble": scores}

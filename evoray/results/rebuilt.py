"""At the end of a run: what it reports is what its exports give.

The best child and the soup are built once more, as a user would who has the architecture and an export, and see the
first images of ``test``. Their outputs are those of the network in place, bit for bit; and the scores that workers
measured on those images are theirs, up to the rounding of the type and device that they were measured in.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.errors import EvorayError
from evoray.evaluation.exported import same_as_fresh
from evoray.evaluation.host import ModelHost
from evoray.evaluation.judging import export_of
from evoray.evaluation.packing import travelled
from evoray.evaluation.passes import Passes, Sample
from evoray.evaluation.program import DTYPES
from evoray.evaluation.units.ensemble import BLOCKS
from evoray.models import with_buffers
from evoray.mutation import Lineage, child_state
from evoray.results.final_test import FinalTest
from evoray.results.members import Choices
from evoray.runtime.reading import reason_of
from evoray.search.inputs import normalisation
from evoray.search.session import Session
from evoray.storage.directory import RECALIBRATED
from evoray.tasks.base import Batch, Outputs, Preparation
from evoray.tasks.outputs import put, room_for, tensors_of

LOOKED_AT = 4
"""Images of ``test``."""
GROUP = 32
"""Images at most on which a fitness is compared that is no mean of images."""
JITTERS = 8
SAME, UNCHECKED = "same", "not checked"


def check_rebuilt(session: Session, choices: Choices, final: FinalTest) -> dict[str, str]:
    """By network, ``same`` or what is wrong with it; a fault is said, and no exception stops the run's writing."""
    lineages = {"best_child": choices.best.ask.lineage}
    if choices.soup is not None:
        lineages["soup"] = choices.soup.lineage
        lineages |= {RECALIBRATED: choices.soup.lineage} if final.recalibrated else {}
    try:
        found = _checked(session, lineages, final)
    except (EvorayError, RuntimeError, TypeError) as error:
        session.observers.note(f"whether exports give the reported scores could not be checked: {reason_of(error)}")
        return dict.fromkeys(lineages, f"{UNCHECKED}: {reason_of(error)}")
    for name, said in found.items():
        if said != SAME:
            session.observers.note(f"{name}: {said}")
    return found


def with_rebuilt(summary: dict[str, Any], rebuilt: dict[str, str]) -> dict[str, Any]:
    """The summary with what was found; a fault takes the verdict's place, since no figure can be relied on then."""
    faults = [f"{name}: {said}" for name, said in rebuilt.items() if said != SAME and not said.startswith(UNCHECKED)]
    verdict = f"Not valid. {' '.join(faults)}" if faults else summary["verdict"]
    return summary | {"verdict": verdict, "rebuilt": rebuilt}


def unchecked(summary: dict[str, Any]) -> str:
    """Why a finished run's exports were not checked, as when memory was short; empty where they were."""
    found = summary.get("rebuilt")  # of a file that anyone may have edited
    said = [str(one) for one in found.values()] if isinstance(found, dict) else []
    return next((one for one in said if one.startswith(UNCHECKED)), "")


def _checked(session: Session, lineages: dict[str, Lineage], final: FinalTest) -> dict[str, str]:
    try:
        return _in_type(session, lineages, final, torch.float32)
    except (RuntimeError, TypeError):
        return _in_type(session, lineages, final, DTYPES[session.config.compute.dtype])


def _in_type(session: Session, lineages: dict[str, Lineage], final: FinalTest, dtype: torch.dtype) -> dict[str, str]:
    inputs, task = session.inputs, session.inputs.task
    batch, targets = _images(session, dtype, session.splits.shards("test")[0], slice(LOOKED_AT))
    group = _smallest_group(session, final)
    grouped = None if group is None else _images(session, dtype, group.shard, group.rows)
    sample = Sample(
        batch.inputs, None, None, lambda network, given: task.outputs(network, Batch(given, batch.count, batch.beside))
    )
    host = ModelHost(travelled(inputs.parent.model, inputs.config_dir), inputs.space, "cpu", dtype)
    found = {}
    for name, lineage in lineages.items():
        own = final.recalibrated if name == RECALIBRATED else {}
        buffers = {buffer: torch.from_numpy(values) for buffer, values in own.items()}
        with with_buffers(host.model, own), host.child(lineage.entries), torch.inference_mode():
            outputs = task.outputs(host.forward, batch)
            here = tuple(tensor.clone() for tensor in tensors_of(outputs))
            whole = _whole(outputs, batch.count)
            of_group = None if grouped is None else _whole(task.outputs(host.forward, grouped[0]), grouped[0].count)
        weights = child_state(inputs.state, inputs.space, lineage) | buffers
        off = same_as_fresh(Passes(sample), batch.inputs, dtype, export_of(inputs), weights, here)
        found[name] = SAME
        if off is not None:
            found[name] = f"a fresh network with its exported weights gives other outputs on test, {off}."
        elif (apart := _apart(session, final, name, whole, targets)) is not None:
            found[name] = apart
        elif group is not None and grouped is not None:
            found[name] = _fitness_apart(session, group, name, of_group, grouped[1]) or SAME
    return found


def _whole(outputs: Outputs, count: int) -> Outputs:
    whole = room_for(outputs, count)
    put(whole, outputs, 0, count)
    return whole


@dataclass(frozen=True)
class _Group:
    """Images of one shard of ``test`` whose sums workers kept apart. rows: their places among the shard's; sums: by
    network, float64 [width]."""

    shard: int
    rows: np.ndarray
    sums: dict[str, np.ndarray]


def _smallest_group(session: Session, final: FinalTest) -> _Group | None:
    """Of fewest images; None where a fitness is a mean of images, and ``compared`` holds each image's, or where every
    group has more than ``GROUP``."""
    panel, found = final.test, []
    if panel.block_width:
        for at, shard in enumerate(panel.shards):
            groups, counts = np.unique(shard["index"] % BLOCKS, return_counts=True)
            found.append((int(counts.min()), at, int(groups[counts.argmin()])))
    count, at, group = min(found, default=(GROUP + 1, 0, 0))
    if count > GROUP:
        return None
    kept = panel.shards[at]
    table = np.zeros(len(panel.names) * BLOCKS * panel.block_width)
    table[kept["block_at"]] = kept["block_sum"]
    sums = dict(zip(panel.names, table.reshape(len(panel.names), BLOCKS, -1)[:, group], strict=True))
    return _Group(session.splits.shards("test")[at], np.flatnonzero(kept["index"] % BLOCKS == group), sums)


def _fitness_apart(session: Session, group: _Group, name: str, outputs: Any, targets: Tensor) -> str | None:
    """Whether workers had another fitness of the same images, beyond what the last digits of outputs can move it: an
    answer may lie at an edge between two classes."""
    if not (isinstance(outputs, Tensor) and outputs.is_floating_point()):
        return None
    fitness, slack = session.fitness, torch.finfo(DTYPES[session.config.compute.dtype]).eps ** 0.5
    random = torch.Generator().manual_seed(0)
    outputs = outputs.float()
    scale = slack * float(outputs.abs().max())
    try:
        near = [outputs]
        near += [outputs + scale * (2 * torch.rand(outputs.shape, generator=random) - 1) for _ in range(JITTERS)]
        values = [fitness.value(fitness.layout.row(session.inputs.task.sums(one, targets), fitness.sums(one, targets)))
                  for one in near]  # fmt: skip
        measured = fitness.value(group.sums[name])
    except Exception:  # a user's function, on as few images
        return None
    margin = 2 * slack * (1 + max(abs(value) for value in values))
    if not np.isfinite([*values, measured]).all() or max(values) - min(values) > margin:
        return None  # last digits of outputs decide it: whose are right cannot be told
    if abs(measured - values[0]) <= 2 * margin:
        return None
    shown = measure.sign if (measure := fitness.measure) is not None else 1
    return (
        f"its exported weights have {fitness.name} {shown * values[0]:.4g} on {len(targets)} "
        f"{session.splits.counted} of test, workers "
        f"measured {shown * measured:.4g}."
    )


def _images(session: Session, dtype: torch.dtype, shard: int, some: slice | np.ndarray) -> tuple[Batch, Tensor]:
    splits, task = session.splits, session.inputs.task
    records, rows = splits.datasets["test"].load(shard), splits.rows["test"][shard][some]
    mean, std = normalisation(session.inputs.parent, splits.described["test"].image_shape[0])
    cpu = torch.device("cpu")
    return task.batch(records, rows, Preparation(cpu, dtype, False, mean, std)), task.targets(records, rows, cpu)


def _apart(session: Session, final: FinalTest, name: str, outputs: Outputs, targets: Tensor) -> str | None:
    """Whether workers measured other scores: the median difference, for one image may lie at an edge."""
    task = session.inputs.task
    records = task.records(task.predictions(outputs), targets)
    for figure in task.scored:
        here = task.compared(records)[figure]
        measured = final.test.compared(name)[figure][: len(here)]
        slack = 2 * torch.finfo(DTYPES[session.config.compute.dtype]).eps ** 0.5
        with np.errstate(invalid="ignore"):
            known = np.isfinite(here) | np.isfinite(measured)
            apart = np.where(known, np.abs(here - measured) / (1 + np.abs(here)), 0.0)
        if np.nanmedian(np.nan_to_num(apart, nan=np.inf, posinf=np.inf)) > slack:
            return (
                f"its exported weights give {figure} {_listed(here)} on the first {session.splits.counted} of test, "
                f"workers measured {_listed(measured)}."
            )
    return None


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in values)

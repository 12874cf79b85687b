"""Named networks and the ensemble on one shard, where all members' logits meet on one worker.

Members are added in their order, in float64, and forgotten; after each one the ensemble so far is scored, which gives
accuracy against size for the price of a softmax. What leaves the worker is per-image scores of the few named
networks, sums for the rest, and the ensemble's probabilities (the likeliest classes of them): nothing of a
member's logits, so 64 members need no more memory than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.data.splits import SearchClosed
from evoray.ensembles.diversity import diversity_sums, entropy_sum
from evoray.ensembles.logits import logits_file, logits_name
from evoray.ensembles.selection import Member
from evoray.ensembles.temperature import at_temperature, temperature_sums
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.units.children import Candidate, blamed
from evoray.models import Buffers, with_buffers
from evoray.mutation import Lineage
from evoray.tasks.base import Outputs, Task
from evoray.tasks.class_scores import predicted_class, score_log_probabilities, score_logits
from evoray.tasks.outputs import some_of

MAX_CLASSES = 20
"""Ensemble probabilities of up to this many classes are kept whole, else the likeliest MAX_CLASSES of an image."""

BLOCKS = 20
"""Groups of images, by their index in the dataset, of which the fitness's sums are kept apart."""


@dataclass(frozen=True)
class OwnUnit:
    """Candidates for the ensemble on one shard of ``select``: one array a candidate, float64 [n].

    Each holds the probability of the true class, all that choosing among them needs.
    """

    base: Lineage
    candidates: tuple[Candidate, ...]
    split: str
    shard: int

    def run(self, evaluator: Evaluator) -> list[np.ndarray]:
        labels, tails = evaluator.targets(self.split, self.shard), [one.tail for one in self.candidates]
        found = evaluator.outputs_of(
            self.base, tails, self.split, self.shard, lambda number: _blamed(self, self.candidates[number].name)
        )
        return [np.exp(-score_logits(outputs, labels).nll) for outputs in found]


@dataclass(frozen=True)
class PanelUnit:
    """Named networks (parent, best, soup) and the ensemble's members, on one shard of one split.

    temperatures: of ``parent`` and ``ensemble``, fitted before; each then appears at its temperature as well.
    fit_temperatures: sums from which those are fitted are made, for both.
    block_width: how many sums the fitness makes in all; 0 leaves them out.
    """

    base: Lineage
    named: tuple[tuple[str, Lineage], ...]
    members: tuple[Member, ...]
    split: str
    shard: int
    closed: SearchClosed | None = None
    """The run's word that its search is over; ``test`` cannot be read without it."""
    method: str = "top-k"
    temperatures: tuple[tuple[str, float], ...] = ()
    fit_temperatures: bool = False
    block_width: int = 0
    buffers: tuple[tuple[str, Buffers], ...] = ()
    """BatchNorm statistics of named networks that have their own."""
    logits_to: str | None = None
    """Run directory that takes the members' logits, as a path or URI that means the same on every worker."""

    @property
    def names(self) -> tuple[str, ...]:
        """Rows of the per-image arrays, in order."""
        at = dict(self.temperatures)
        names = [name for name, _ in self.named]
        names += ["parent_calibrated"] if "parent" in at else []
        if self.members:
            names += ["ensemble", "ensemble_uncalibrated"] if "ensemble" in at else ["ensemble"]
        return tuple(names)

    def run(self, evaluator: Evaluator) -> list[dict[str, np.ndarray]]:
        """One dictionary of arrays, for images n in row order:

        index int64 and label [n]; what the task keeps of every record, [names, n] (``Task.records``);
        members, curve float64 [members, 5] (the task's columns of each member, and of the ensemble up to it);
        classes int32 and probability float32 [n, min(C, MAX_CLASSES)] of the ensemble, likeliest first;
        disagree, both_wrong int64 [members, members] and entropy float64 [members + 1] (ensembles.Diversity);
        temperature float64 [2, 2, 33] of parent and ensemble (ensembles.temperature), where asked;
        block_at int64, block_sum float64 [k]: the sums that are not zero, of the flattened [names, BLOCKS, width];
        logits_sha256 uint8 [32] and logits_bytes int64 of the file of logits, where they are kept.
        """
        with evaluator.splits.opened(self.closed):
            prepared = evaluator.prepared(self.split, self.shard)
            index = evaluator.splits.first_row(self.split, self.shard) + prepared.rows
            sheet = _Sheet(evaluator, prepared.targets, index, self)
            own = dict(self.buffers)
            for name, lineage in self.named:
                with with_buffers(evaluator.host.model, own.get(name, {})):
                    logits = _outputs(evaluator, self, name, lineage)
                sheet.add(name, evaluator.task.predictions(logits), logits)
            if self.members:
                self._ensemble(evaluator, sheet)
            return [sheet.arrays()]

    def _ensemble(self, evaluator: Evaluator, sheet: _Sheet) -> None:
        assert evaluator.task.combine is not None, "a task that combines nothing has no members"
        if evaluator.task.classification is None:
            pairs = zip(self.members, self._outputs(evaluator), strict=True)
            voted, arrays = vote(evaluator.task, self.method, pairs, sheet.labels)
            sheet.extra |= arrays
            sheet.add("ensemble", evaluator.task.predictions(voted), voted)
            return
        combiner = evaluator.task.combine(self.method)
        members, curve, answers, wrong, entropy = [], [], [], [], []
        with self._kept(sheet) as keep:
            for member, logits in zip(self.members, self._outputs(evaluator), strict=True):
                keep(member.name, logits)
                so_far = combiner.add(logits, member.weight).log_()
                own = torch.log_softmax(logits.double(), dim=1)
                scored = score_log_probabilities(own, sheet.labels)
                members.append(scored.counts())
                curve.append(score_log_probabilities(so_far, sheet.labels).counts())
                answers.append(predicted_class(logits).cpu().numpy())
                wrong.append(scored.rank > 0)
                entropy.append(entropy_sum(own))
        entropy.append(entropy_sum(combiner.mean.log()))
        found = diversity_sums(np.stack(answers), np.stack(wrong), np.array(entropy))
        sheet.extra |= {
            "members": np.stack(members),
            "curve": np.stack(curve),
            "disagree": found.answers_differ,
            "both_wrong": found.both_wrong,
            "entropy": found.entropy,
        }
        sheet.add("ensemble", so_far, so_far)
        top = sheet.reported["ensemble"].exp().topk(min(MAX_CLASSES, so_far.shape[1]), dim=1)
        sheet.extra["classes"] = top.indices.int().cpu().numpy()
        sheet.extra["probability"] = top.values.float().cpu().numpy()

    def _outputs(self, evaluator: Evaluator) -> Iterator[Outputs]:
        """Of the members: they share what lies before the first weight that any of them changes."""
        lineages = [member.lineage for member in self.members]
        return evaluator.lineages_outputs(
            self.base, lineages, self.split, self.shard, lambda number: _blamed(self, self.members[number].name)
        )

    @contextmanager
    def _kept(self, sheet: _Sheet) -> Iterator[Callable[[str, Tensor], None]]:
        """Gives what takes a member's logits; at the end the file's digest and size are in the sheet."""
        if self.logits_to is None:
            yield lambda name, logits: None
            return
        name = logits_name(self.split, self.shard)
        with logits_file(self.logits_to, name, sheet.index, sheet.labels.cpu().numpy()) as file:
            yield lambda member, logits: file.add(member, logits.cpu().numpy())
        sheet.extra["logits_sha256"] = np.frombuffer(file.sha256, dtype=np.uint8)
        sheet.extra["logits_bytes"] = np.array(file.size)


@dataclass
class _Sheet:
    """Collects what one shard's networks said, in the order of ``PanelUnit.names``."""

    evaluator: Evaluator
    labels: Tensor
    index: np.ndarray
    unit: PanelUnit
    records: dict[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    temperature: list[np.ndarray] = field(default_factory=list)
    reported: dict[str, Tensor] = field(default_factory=dict)
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, log_p: Tensor, logits: Tensor) -> None:
        """One network; ``logits`` are what the fitness looks at (log-probabilities, for an ensemble)."""
        if self.unit.fit_temperatures and name in ("parent", "ensemble"):
            self.temperature.append(temperature_sums(log_p, self.labels))
        at: Mapping[str, float] = dict(self.unit.temperatures)
        if name not in at:
            self._score(name, log_p, logits)
            return
        scaled = at_temperature(log_p, at[name])
        # the ensemble is reported at its temperature; the parent as it is, and at its temperature beside it
        if name == "ensemble":
            self._score("ensemble", scaled, scaled)
            self._score("ensemble_uncalibrated", log_p, log_p)
        else:
            self._score(name, log_p, logits)
            self._score(f"{name}_calibrated", scaled, scaled)

    def _score(self, name: str, log_p: Tensor, logits: Tensor) -> None:
        self.records[name] = self.evaluator.task.records(log_p, self.labels)
        if name == "ensemble":
            self.reported[name] = log_p
        if self.unit.block_width:
            with blamed(name, self.unit.split, self.unit.shard):  # the user's fitness runs here as well
                self.sums[name] = self._blocks(logits)

    def _blocks(self, outputs: Outputs) -> np.ndarray:
        """float64 [BLOCKS, width]: the task's columns and the fitness's own sums of each group of records."""
        outputs = outputs.float() if isinstance(outputs, Tensor) and outputs.is_floating_point() else outputs
        table = np.zeros((BLOCKS, self.unit.block_width))
        for block in range(BLOCKS):
            chosen = np.flatnonzero(self.index % BLOCKS == block)
            if chosen.size:
                where = torch.from_numpy(chosen).to(self.labels.device)
                some, targets = some_of(outputs, where), self.labels[where]
                fitness = self.evaluator.fitness
                table[block] = fitness.layout.row(self.evaluator.task.sums(some, targets), fitness.sums(some, targets))
        return table

    def arrays(self) -> dict[str, np.ndarray]:
        names = self.unit.names
        result = {"index": self.index, "label": self.labels.cpu().numpy(), **self.extra}
        for part in self.records[names[0]]:
            result[part] = np.stack([self.records[name][part] for name in names])
        if self.temperature:
            result["temperature"] = np.stack(self.temperature)
        if self.unit.block_width:
            flat = np.stack([self.sums[name] for name in names]).ravel()
            result["block_at"] = np.flatnonzero(flat)
            result["block_sum"] = flat[result["block_at"]]
        return result


def _outputs(evaluator: Evaluator, unit: PanelUnit, name: str, lineage: Lineage) -> Outputs:
    with _blamed(unit, name):
        return evaluator.lineage_outputs(unit.base, lineage, unit.split, unit.shard)


def _blamed(unit: OwnUnit | PanelUnit, name: str) -> AbstractContextManager[None]:
    return blamed(name, unit.split, unit.shard)


def vote(
    task: Task, method: str, members: Iterable[tuple[Member, Outputs]], targets: Tensor
) -> tuple[Outputs, dict[str, np.ndarray]]:
    """The ensemble's outputs, and the arrays of ``PanelUnit.run``: members and curve, how often two disagree, and votes
    float64 [n] for the answer that won. Who is wrong is not known of answers, nor how sure they are: NaN and zeros."""
    make: Callable[[str], Any] | None = task.combine
    assert make is not None, "a task that combines nothing has no members"
    combiner = make(method)
    own, curve, answers = [], [], []
    for member, outputs in members:
        so_far = combiner.add(outputs, member.weight)
        own.append(task.sums(outputs, targets))
        curve.append(task.sums(so_far, targets))
        answers.append(outputs.key.cpu().numpy())
    never = np.zeros((len(own), len(targets)), dtype=bool)
    found = diversity_sums(np.stack(answers), never, np.full(len(own) + 1, math.nan))
    return so_far, {
        "members": np.stack(own),
        "curve": np.stack(curve),
        "disagree": found.answers_differ,
        "both_wrong": found.both_wrong,
        "entropy": found.entropy,
        "votes": combiner.votes.cpu().numpy(),
    }

"""From records to answers: a run's data, its network and its names of classes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.config import RunConfig, parse_config
from evoray.data import ShardDataset, open_dataset
from evoray.ensembles.temperature import at_temperature
from evoray.errors import DataError, ModelError, UsageError
from evoray.evaluation.program import DTYPES
from evoray.models import Parent
from evoray.runtime.auto import given
from evoray.runtime.importing import make_importable
from evoray.runtime.reading import shown
from evoray.search.inputs import normalisation
from evoray.serving.intake import Intake, intake_of
from evoray.serving.networks import build, ensemble_of
from evoray.serving.plan import ENSEMBLE, Plan
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY
from evoray.tasks.base import Outputs, Preparation, Task
from evoray.tasks.registry import make_task, of_run

LABELS, NUMBERS = "multi-label", "regression"
SERVED = ("image-classification", "text-classification", LABELS, NUMBERS)
LOG = logging.getLogger("evoray")
Answer = dict[str, Any]


class Predictor:
    """Answers for records. One thread at a time: recipes are written into one network."""

    def __init__(self, plan: Plan) -> None:
        directory = RunDirectory(plan.location)
        self.plan, config = plan, served_config(directory, plan)
        make_importable(Path(plan.config_dir))
        dataset = _dataset(config, plan)
        task = make_task(config.task.name, Path(plan.config_dir), config.task.settings)
        self.task: Task = of_run(task, dataset.classes)
        dtype = DTYPES[given(config.compute.dtype) or "float32"]
        self.network, parent = build(plan, config, dtype)
        self.intake: Intake = intake_of(dataset, parent)
        if self.intake.may_fail and plan.device != "cpu":
            raise UsageError(
                f"nothing says which {self.intake.said}s the network takes, and a GPU does not survive a number that "
                "no embedding has. Serve them with --device cpu."
            )
        mean, std = normalisation(parent, dataset.image_shape[0])
        self._how = Preparation(torch.device(plan.device), dtype, False, mean, std)
        self._method, self._temperature = config.ensemble.method, _temperature(directory, plan.member)
        self.kind = config.task.name
        outputs = self._predictions([self.intake.blank])
        self.names = self._names(directory, parent, outputs.reshape(1, -1).shape[1])

    @property
    def facts(self) -> dict[str, Any]:
        """What it serves, for /health and the page; nothing of this machine."""
        return {
            "member": self.plan.member,
            "task": self.kind,
            "classes": len(self.names) if self.kind != NUMBERS else None,
            **self.intake.facts,
            "example": self.intake.example,
            "kept_as": self.network.said,
        }

    def answers(self, records: Sequence[Any], top: Sequence[int]) -> list[Answer]:
        """One a prepared record, in order; top: how many classes each is to have."""
        try:
            found = self._predictions(records).cpu()
        except (IndexError, ValueError, RuntimeError, ModelError) as error:
            if not self.intake.may_fail:
                raise
            if len(records) > 1:  # the others of its batch are answered
                return [self.answers([one], [count])[0] for one, count in zip(records, top, strict=True)]
            LOG.info("the network failed for a record: %s", error)
            return [{"error": f"The network cannot take this {self.intake.said}."}]
        return [self._answer(row, count) for row, count in zip(found, top, strict=True)]

    def _predictions(self, records: Sequence[Any]) -> Tensor:
        """[n, ...]: log-probabilities of classes, logits of labels, or numbers."""
        batch = self.task.batch(self.intake.records(records), np.arange(len(records)), self._how)
        with torch.inference_mode():
            found: Tensor = self._combined(self.network.outputs(self.task, batch))
        return found

    def _combined(self, members: Iterator[tuple[Outputs, float]]) -> Tensor:
        if self.plan.member != ENSEMBLE:
            (outputs, _), *_ = members
            found: Tensor = self.task.predictions(_float(outputs)) if self._of_classes else _float(outputs)
            return found
        if self.task.combine is None:
            raise UsageError(f"a run of {self.kind} has no ensemble. Serve soup or best.")
        combiner = self.task.combine(self._method)
        for outputs, weight in members:
            so_far = combiner.add(_float(outputs), weight)
        return at_temperature(so_far.log_(), self._temperature)

    @property
    def _of_classes(self) -> bool:
        return self.task.classification is not None

    def _answer(self, row: Tensor, top: int) -> Answer:
        if not bool(torch.isfinite(row).all()) and not (self._of_classes and not bool(row.isnan().any())):
            return {"error": f"The network gives no finite answer for this {self.intake.said}."}
        if self.kind == NUMBERS:
            numbers = zip(self.names, row.reshape(-1).double().tolist(), strict=True)
            return {"values": [{"name": name, "value": value} for name, value in numbers]}
        if self.kind == LABELS:
            logits = row.reshape(-1).double()
            chances = torch.sigmoid(logits)
            order = chances.argsort(descending=True, stable=True)[:top]
            return {"labels": [self._named(at, chances[at]) | {"given": bool(logits[at] > 0)} for at in order.tolist()]}
        probability = row.exp()
        best = probability.topk(min(top, len(probability)))
        pairs = zip(best.indices.tolist(), best.values, strict=True)
        return {"classes": [self._named(at, value) for at, value in pairs]}

    def _named(self, at: int, probability: Tensor) -> dict[str, Any]:
        return {"name": self.names[at], "output": at, "probability": float(probability.float())}

    def _names(self, directory: RunDirectory, parent: Parent, outputs: int) -> tuple[str, ...]:
        """Of every output: the data's class, else the parent's own name, else its number."""
        own = parent.classes if parent.classes is not None and len(parent.classes) == outputs else None
        names = list(own) if own else [f"output {number}" for number in range(outputs)]
        summary = directory.read_json("summary.json")
        if "verdict" not in summary:  # {} would give names to other outputs than the run did
            raise UsageError(f"{directory.path('summary.json')}: no verdict in it. {REMEDY}")
        chosen = (summary.get("classes") or {}).get("data_classes")
        known = self.intake.classes
        if not self._of_classes and len(known) == 1 < outputs:  # a column of lists
            known = tuple(f"{known[0]}[{number}]" for number in range(outputs))
        for place, name in enumerate(known):
            at = place if chosen is None else chosen[place] if place < len(chosen) else outputs
            if at < outputs:
                names[at] = name
        return tuple(names)


def served_config(directory: RunDirectory, plan: Plan) -> RunConfig:
    """A run's configuration. Raises UsageError where its task is none that is served, and says which are."""
    config = parse_config(directory.read_json("config.json"), directory.path("config.json"), Path(plan.config_dir))
    if config.task.name not in SERVED:
        raise UsageError(
            f"a run of {shown(config.task.name)} cannot be served. Tasks that can: {', '.join(SERVED)}. Export the "
            "network with evoray export, and serve it by its own library."
        )
    return config


def _dataset(config: RunConfig, plan: Plan) -> ShardDataset:
    try:
        return open_dataset(plan.data or config.data.path, Path(plan.config_dir))
    except DataError as error:
        raise DataError(
            f"{error} The run's data says how records are made and what its classes are called: where it lies "
            "elsewhere now, name it with --data."
        ) from None


def _temperature(directory: RunDirectory, member: str) -> float:
    return ensemble_of(directory)[1] if member == ENSEMBLE else 1.0


def _float(outputs: Outputs) -> Tensor:
    """As a worker keeps them: floating outputs in float32."""
    if not isinstance(outputs, Tensor):
        raise ModelError("the network's outputs are no tensor, and only those are served.")
    return outputs.float()

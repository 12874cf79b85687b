"""From a picture's bytes to an answer: the run's own transform, its network and its names of classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evoray.config import RunConfig, parse_config
from evoray.data import ImageTransform, Shard, ShardDataset, open_dataset
from evoray.data.records import Records
from evoray.ensembles.temperature import at_temperature
from evoray.errors import DataError, ModelError, PictureError, UsageError
from evoray.evaluation.program import DTYPES
from evoray.models import Parent
from evoray.runtime.auto import given
from evoray.runtime.importing import make_importable
from evoray.runtime.reading import shown
from evoray.search.inputs import normalisation
from evoray.serving.limits import Refused
from evoray.serving.networks import build, ensemble_of
from evoray.serving.plan import ENSEMBLE, Plan
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import REMEDY
from evoray.tasks.base import Outputs, Preparation, Task
from evoray.tasks.registry import make_task, of_run

CLASSES, LABELS, NUMBERS = "image-classification", "multi-label", "regression"
SERVED = (CLASSES, LABELS, NUMBERS)
Answer = dict[str, Any]


@dataclass(frozen=True)
class Pictures:
    """How a run's data was made. shape: [C, H, W]; classes: the data's names, else those of its columns of targets."""

    transform: ImageTransform
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


class Predictor:
    """Answers for pictures. One thread at a time: recipes are written into one network."""

    def __init__(self, plan: Plan) -> None:
        directory = RunDirectory(plan.location)
        self.plan, config = plan, served_config(directory, plan)
        make_importable(Path(plan.config_dir))
        dataset = _dataset(config, plan)
        self.pictures = pictures_of(dataset)
        task = make_task(config.task.name, Path(plan.config_dir), config.task.settings)
        self.task: Task = of_run(task, dataset.classes)
        dtype = DTYPES[given(config.compute.dtype) or "float32"]
        self.network, parent = build(plan, config, dtype)
        mean, std = normalisation(parent, self.pictures.shape[0])
        self._how = Preparation(torch.device(plan.device), dtype, False, mean, std)
        self._method, self._temperature = config.ensemble.method, _temperature(directory, plan.member)
        self.kind = config.task.name
        outputs = self._predictions(np.zeros((1, *self.pictures.shape), dtype=np.uint8))
        self.names = self._names(directory, parent, outputs.reshape(1, -1).shape[1])

    @property
    def facts(self) -> dict[str, Any]:
        """What it serves, for /health and the page; nothing of this machine."""
        channels, height, width = self.pictures.shape
        return {
            "member": self.plan.member,
            "task": self.kind,
            "classes": len(self.names) if self.kind != NUMBERS else None,
            "picture": f"{width} x {height}, {'grey' if channels == 1 else 'RGB'}",
            "kept_as": self.network.said,
        }

    def prepare(self, content: bytes, pixels: int) -> np.ndarray:
        """uint8 [C, H, W] of a picture's file, as the run's data was made.

        Raises:
            Refused: 415 for another format, 413 for too many pixels, 422 for a damaged picture or another size.
        """
        from evoray.data.decoding.formats import FORMATS, claimed, name_of

        if claimed(content) is None:
            raise Refused(415, f"This is {name_of(content)}. Pictures that are read: {', '.join(FORMATS)}.")
        _check_pixels(content, pixels)
        try:
            found = np.ascontiguousarray(self.pictures.transform(content))
        except PictureError as error:
            raise Refused(422, f"The picture cannot be read: {shown(error)}") from None
        if found.shape != self.pictures.shape:
            raise Refused(
                422,
                f"The picture is {found.shape[2]} x {found.shape[1]}: the network takes {self.facts['picture']}.",
            )
        return found

    def answers(self, pictures: Sequence[np.ndarray], top: Sequence[int]) -> list[Answer]:
        """One a picture, in order; top: how many classes each is to have."""
        found = self._predictions(np.stack(pictures)).cpu()
        return [self._answer(row, count) for row, count in zip(found, top, strict=True)]

    def _predictions(self, pictures: np.ndarray) -> Tensor:
        """[n, ...]: log-probabilities of classes, logits of labels, or numbers."""
        batch = self.task.batch(_records(pictures, self.kind), np.arange(len(pictures)), self._how)
        with torch.inference_mode():
            found: Tensor = self._combined(self.network.outputs(self.task, batch))
        return found

    def _combined(self, members: Iterator[tuple[Outputs, float]]) -> Tensor:
        if self.plan.member != ENSEMBLE:
            (outputs, _), *_ = members
            found: Tensor = self.task.predictions(_float(outputs)) if self.kind == CLASSES else _float(outputs)
            return found
        if self.task.combine is None:
            raise UsageError(f"a run of {self.kind} has no ensemble. Serve soup or best.")
        combiner = self.task.combine(self._method)
        for outputs, weight in members:
            so_far = combiner.add(_float(outputs), weight)
        return at_temperature(so_far.log_(), self._temperature)

    def _answer(self, row: Tensor, top: int) -> Answer:
        if not bool(torch.isfinite(row).all()) and not (self.kind == CLASSES and not bool(row.isnan().any())):
            return {"error": "The network gives no finite answer for this picture."}
        if self.kind == NUMBERS:
            numbers = zip(self.names, row.reshape(-1).double().tolist(), strict=True)
            return {"values": [{"name": name, "value": value} for name, value in numbers]}
        if self.kind == LABELS:
            chances = torch.sigmoid(row.double())
            order = chances.argsort(descending=True, stable=True)[:top]
            return {"labels": [self._named(at, chances[at]) | {"given": bool(row[at] > 0)} for at in order.tolist()]}
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
        for place, name in enumerate(self.pictures.classes):
            at = place if chosen is None else chosen[place] if place < len(chosen) else outputs
            if at < outputs:
                names[at] = name
        return tuple(names)


def served_config(directory: RunDirectory, plan: Plan) -> RunConfig:
    """A run's configuration. Raises UsageError where its task is none that is served, and says which are."""
    config = parse_config(directory.read_json("config.json"), directory.path("config.json"), Path(plan.config_dir))
    if config.task.name not in SERVED:
        raise UsageError(
            f"a run of {shown(config.task.name)} cannot be served. Tasks that can: {', '.join(SERVED)}, each of "
            "images. Export the network with evoray export, and serve it by its own library."
        )
    return config


def pictures_of(dataset: ShardDataset) -> Pictures:
    """How its images were made; data that comes ready is resized to its own size.

    Raises:
        UsageError: its records are no images.
    """
    channels, height, width = dataset.image_shape
    if not channels:
        raise UsageError(f"{shown(dataset.name)}: its records are no images, and only networks of images are served.")
    manifest, read = getattr(dataset, "manifest", None), getattr(dataset, "read", {})
    known = getattr(manifest, "transform", None) or read.get("transform")
    if known is None and height != width:
        raise UsageError(f"{shown(dataset.name)}: nothing says how a picture becomes {width} x {height} pixels.")
    made: Mapping[str, Any] = {"resize": height, "crop": height, "channels": channels}
    if isinstance(known, dict):
        made = {"depth": "clip", **known}  # what a manifest leaves out is older than the rule
    transform = known if isinstance(known, ImageTransform) else ImageTransform(**made)
    return Pictures(transform, (channels, height, width), tuple(dataset.classes) or tuple(read.get("target", ())))


def _dataset(config: RunConfig, plan: Plan) -> ShardDataset:
    try:
        return open_dataset(plan.data or config.data.path, Path(plan.config_dir))
    except DataError as error:
        raise DataError(
            f"{error} The run's data says how pictures are cut and what its classes are called: where it lies "
            "elsewhere now, name it with --data."
        ) from None


def _temperature(directory: RunDirectory, member: str) -> float:
    return ensemble_of(directory)[1] if member == ENSEMBLE else 1.0


def _records(pictures: np.ndarray, task: str) -> Any:
    """A shard of them: of a task of classes as labelled images, else as records."""
    nameless = [""] * len(pictures)
    if task == CLASSES:
        return Shard(0, pictures, np.zeros(len(pictures), dtype=np.int64), nameless)
    return Records(0, {"image": pictures}, nameless)


def _float(outputs: Outputs) -> Tensor:
    """As a worker keeps them: floating outputs in float32."""
    if not isinstance(outputs, Tensor):
        raise ModelError("the network's outputs are no tensor, and only those are served.")
    return outputs.float()


def _check_pixels(content: bytes, pixels: int) -> None:
    """By the header alone."""
    from evoray.data.decoding.opening import one_error, opened

    try:
        with one_error():
            width, height = opened(content).size
    except PictureError as error:
        raise Refused(422, f"The picture cannot be read: {shown(error)}") from None
    if width * height > pixels:
        raise Refused(413, f"The picture has {width:,} x {height:,} pixels, and {pixels:,} in all is the most.")

"""Small parents for experiments, trained to a normal and to an early-stopped accuracy; the same bytes every time.

One run of AdamW gives both: ``NAME-seedN.safetensors`` when it is over, and ``NAME-seedN-early.safetensors`` after its
first ``early`` steps. Beside each stands a JSON record of how it was made, with its accuracy and NLL on training images
that were held out. One thread is used throughout, since the number of threads changes last bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from evoray.data import normalise, open_dataset
from evoray.errors import ConfigError, DataError
from evoray.models import small, write_state
from evoray.runtime.progress import Progress
from evoray.runtime.reading import parse_json, read_file, said, shown
from evoray.runtime.seeds import Stream, generator

LEARNING_RATE, WEIGHT_DECAY, BATCH = 4e-3, 0.01, 128
KINDS = ("normal", "early")
HELD_OUT = 1 / 12
"""Share of the training images that no step sees: 5,000 of Fashion-MNIST's 60,000."""


@dataclass(frozen=True)
class Recipe:
    """How parents are trained. epochs: of the normal one; early: steps of the early-stopped one."""

    data: str = "fashion-mnist-train"
    epochs: int = 8
    early: int = 200


@dataclass(frozen=True)
class Images:
    """Normalised images float32 [n, 1, 28, 28] and labels int64 [n]."""

    images: Tensor
    labels: Tensor

    def __getitem__(self, rows: Tensor) -> Images:
        return Images(self.images[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


def train_parents(
    out: Path,
    architectures: tuple[str, ...],
    seeds: tuple[int, ...],
    recipe: Recipe,
    progress: Progress | None = None,
    kinds: tuple[str, ...] = KINDS,
) -> list[Path]:
    """Trains every architecture at every seed; checkpoints that are there already, with the same recipe, are kept.

    kinds: of KINDS; without the normal one training ends once the early one is written, the same bytes.

    Raises:
        ConfigError: an unknown architecture or kind, or a folder that holds parents of another recipe.
        DataError: images that are not 1x28x28 of ten classes.
    """
    progress = progress or Progress()
    check_architectures(architectures)
    if not kinds or not set(kinds) <= set(KINDS):
        raise ConfigError(f"kinds {','.join(kinds)!r}: some of {', '.join(KINDS)}.")
    if recipe.epochs < 1 or recipe.early < 1:
        raise ConfigError(f"epochs = {recipe.epochs}, early = {recipe.early}: both are at least 1.")
    make_folder(out)
    missing = [
        (name, seed) for name in architectures for seed in seeds if not _finished(out, name, seed, recipe, kinds)
    ]
    if missing:
        train, held_out = _load(recipe.data)
        for name, seed in missing:
            progress.note(f"training {name}, seed {seed}")
            _train(out, name, seed, recipe, train, held_out, progress, kinds)
    return [checkpoint(out, name, seed, kind) for name in architectures for seed in seeds for kind in kinds]


def check_architectures(names: Sequence[str]) -> None:
    """Raises ConfigError for one that is none of ours."""
    unknown = [name for name in names if name not in small.SMALL]
    if unknown:
        raise ConfigError(f"architecture {unknown[0]!r}: none of {', '.join(small.SMALL)}.")


def make_folder(out: Path) -> None:
    """Raises ConfigError where it cannot be made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {shown(out)}: no folder can be made there ({said(error)}). Name another.") from None


def checkpoint(out: Path, name: str, seed: int, kind: str) -> Path:
    """Where a parent is written; ``kind`` is normal or early."""
    return out / f"{name}-seed{seed}{'-early' if kind == 'early' else ''}.safetensors"


def _finished(out: Path, name: str, seed: int, recipe: Recipe, kinds: tuple[str, ...]) -> bool:
    """The normal checkpoint is written last, so it stands for both where it is wanted."""
    record = checkpoint(out, name, seed, "normal" if "normal" in kinds else "early").with_suffix(".json")
    if not record.exists():
        return False
    made = parse_json(read_file(record, error=ConfigError), str(record), ConfigError)
    made = made.get("recipe") if isinstance(made, dict) else None
    if made != asdict(recipe):
        raise ConfigError(
            f"{record}: made by another recipe ({shown(made)}). Name a new folder, or the recipe it was made with."
        )
    return True


def _train(
    out: Path,
    name: str,
    seed: int,
    recipe: Recipe,
    train: Images,
    held_out: Images,
    progress: Progress,
    kinds: tuple[str, ...],
) -> None:
    steps = recipe.epochs * -(-len(train) // BATCH)
    if recipe.early >= steps:
        raise ConfigError(f"early = {recipe.early}: training takes {steps} steps; stop before its end.")
    with _repeatable(seed):
        model = getattr(small, name)().model
        optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.2)
        last = steps if "normal" in kinds else recipe.early
        progress.stage(f"{name} seed {seed}", last, unit="steps")
        for step, batch in enumerate(islice(_batches(train, recipe.epochs), last), start=1):
            model.train()
            optimiser.zero_grad()
            functional.cross_entropy(model(batch.images), batch.labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            progress.advance(1)
            if step in (recipe.early, steps):
                path = checkpoint(out, name, seed, "early" if step == recipe.early else "normal")
                _write(path, model, {"steps": step, "recipe": asdict(recipe), "seed": seed}, held_out)


def _batches(train: Images, epochs: int) -> Iterator[Images]:
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(train)), BATCH):
            yield train[rows]


def _write(path: Path, model: nn.Module, made: dict[str, Any], held_out: Images) -> None:
    """The checkpoint, then its record: a record says that its checkpoint is whole."""
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(part) for part in torch.split(held_out.images, 500)])
    record = made | {
        "held_out": {
            "n": len(held_out),
            "top1": float((logits.argmax(1) == held_out.labels).double().mean()),
            "nll": float(functional.cross_entropy(logits.double(), held_out.labels)),
        },
        "torch": torch.__version__,
    }
    write_state(path, {name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    temporary = path.with_suffix(".json.part")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(temporary, path.with_suffix(".json"))


def _load(spec: str) -> tuple[Images, Images]:
    """(train, held out), cut by a seed of its own."""
    dataset = open_dataset(spec)
    if dataset.image_shape != (1, 28, 28) or len(dataset.classes) != small.CLASSES:
        raise DataError(
            f"{spec}: images {dataset.image_shape} of {len(dataset.classes)} classes; "
            "the small parents take 1x28x28 and ten classes."
        )
    shards = [dataset.load(index) for index in range(len(dataset.shard_rows))]
    raw = torch.from_numpy(np.concatenate([shard.images for shard in shards]))
    mean, std = small.FASHION.mean, small.FASHION.std
    assert mean is not None and std is not None
    images = Images(
        normalise(raw, mean, std, torch.float32), torch.from_numpy(np.concatenate([shard.labels for shard in shards]))
    )
    # under seed 0: what is held out depends on the data set alone, not on a parent's seed
    random = generator(0, Stream.SMALL_PARENT_IMAGES)
    rows = torch.from_numpy(random.permutation(len(images)))
    held_out = round(len(images) * HELD_OUT)
    return images[rows[held_out:]], images[rows[:held_out]]


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """One thread and a seed, for as long as the context is open."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)

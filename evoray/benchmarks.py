"""Measurements that users can repeat: everything compared in one process and one run, alternating.

The floor of EvoRay's hot loop is the bare forward pass. On top of it stand, for a child with m mutated weights on a
shard of B batches: the indices and the noise (about 10 ns a weight), a gather, a sum and a scatter of m values to
write it and two of these to undo it, and one softmax over the logits. None of that depends on the images.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from evoray.config import DataConfig, ParentConfig
from evoray.errors import ConfigError
from evoray.evaluation import DTYPES, Candidate, ChildrenUnit, Evaluator, Program
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state, load_parent, mutable_names
from evoray.mutation import Entry, Lineage, Mutation, Space, derive_seed


def throughput(
    model: str,
    density: float,
    images: int,
    dtype: str = "float32",
    *,
    size: int = 224,
    batch_size: int = 256,
    repeats: int = 5,
    threads: int | None = None,
    naive: bool = True,
) -> dict[str, Any]:
    """Images a second of a bare forward loop, of EvoRay, and of the loop one would write first.

    Args:
        model: a torchvision architecture (random weights). density: 1 / K of the weights mutated, K an integer.
        images, size: mock images of size x size pixels, one shard.
        repeats: rounds; each runs every contestant once, ratios are taken within a round.

    Returns:
        one entry of ``{"results": […]}``; ``spread`` holds (smallest, largest) of each ratio.
    """
    evaluator, network = _prepare(model, images, dtype, size, batch_size, threads)
    parts = round(1 / density) if density > 0 else 0
    if parts < 1 or abs(parts * density - 1) > 1e-6:
        raise ConfigError(f"--density {density}: give 1 / K with an integer K, such as 0.1 or 0.01.")
    batches = tuple(evaluator.prepared("select", 0).batches)
    contestants: dict[str, Callable[[int], None]] = {
        "forward": lambda _: _forward(evaluator.host.model, batches),
        "evoray": lambda number: _evoray(evaluator, parts, number),
    }
    if naive:
        raw = [batch.float().contiguous() for batch in batches]
        contestants["naive"] = lambda number: _naive(network, raw, density, number)
    seconds = _alternate(contestants, repeats)
    return _entry(model, dtype, density, images, seconds) | {
        "threads": torch.get_num_threads(),
        "batch_size": batch_size,
        "size": size,
        "repeats": repeats,
        "device": str(evaluator.device),
        "rebuild_ms": _rebuild_ms(evaluator, parts),
    }


def _prepare(
    model: str, images: int, dtype: str, size: int, batch_size: int, threads: int | None
) -> tuple[Evaluator, nn.Module]:
    if dtype not in DTYPES:
        raise ConfigError(f"--dtype {dtype}: give one of {', '.join(DTYPES)}.")
    parent = load_parent(ParentConfig(source="torchvision", name=model, weights="random"))
    state, _ = canonical_state(parent.model)
    space = Space.from_state(state, mutable_names(parent.model, ("*",), ()), "rms")
    mock = f"mock:size={size},shard_size={max(images, 2)}"
    program = Program(
        space=space,
        mean=parent.preprocessing.mean or (0.0,) * 3,
        std=parent.preprocessing.std or (1.0,) * 3,
        data=DataConfig(path=f"{mock},images={images}", test_path=f"{mock},images=1"),
        seed=0,
        fitness=FitnessSpec("nll"),
        device="cuda" if torch.cuda.is_available() else "cpu",
        dtype=dtype,
        batch_size=batch_size,
        threads=threads or torch.get_num_threads(),
        compile=False,
        deterministic=True,
    )
    return Evaluator(copy.deepcopy(parent.model), program), parent.model


def _alternate(contestants: dict[str, Callable[[int], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every contestant in every round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(repeats + 1):
        for name, run in contestants.items():
            started = time.perf_counter()
            run(number)
            _synchronise()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _entry(model: str, dtype: str, density: float, images: int, seconds: dict[str, list[float]]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "model": model,
        "dtype": dtype,
        "density": density,
        "images": images,
        "images_per_s": {name: images / statistics.median(times) for name, times in seconds.items()},
        "spread": {},
    }
    for other in ("forward", "naive"):
        if other in seconds:
            ratios = [b / a for a, b in zip(seconds["evoray"], seconds[other], strict=True)]
            entry[f"ratio_to_{other}"] = statistics.median(ratios)
            entry["spread"][other] = (min(ratios), max(ratios))
    return entry


def _forward(model: nn.Module, batches: tuple[torch.Tensor, ...]) -> None:
    with torch.inference_mode():
        for batch in batches:
            model(batch)


def _mutation(parts: int, number: int) -> Mutation:
    return Mutation(
        mask_seed=derive_seed(0, number), parts=parts, part=0, noise_seed=derive_seed(1, number), sigma=0.05
    )


def _evoray(evaluator: Evaluator, parts: int, number: int) -> None:
    child = Candidate("bench", (Entry(1.0, _mutation(parts, number)),))
    ChildrenUnit(Lineage(), (child,), "select", 0).run(evaluator)


def _naive(parent: nn.Module, batches: list[torch.Tensor], density: float, number: int) -> None:
    """A copy of the parent, dense noise under a dense mask, float32, a plain loop."""
    child = copy.deepcopy(parent).to(batches[0].device)
    generator = torch.Generator(device=batches[0].device).manual_seed(number)
    with torch.no_grad():
        for weight in child.parameters():
            noise = torch.randn(weight.shape, generator=generator, device=weight.device)
            mask = torch.rand(weight.shape, generator=generator, device=weight.device) < density
            weight.add_(0.05 * weight.std() * noise * mask if weight.numel() > 1 else 0.05 * noise * mask)
        for batch in batches:
            torch.softmax(child(batch), dim=1)


def _rebuild_ms(evaluator: Evaluator, parts: int) -> float:
    """Milliseconds to write one child and undo it; the median of nine."""
    times = []
    for number in range(10):
        started = time.perf_counter()
        with evaluator.host.child((Entry(1.0, _mutation(parts, number)),)):
            pass
        _synchronise()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

"""Measurements that users can repeat: everything compared in one run, alternating.

The floor of EvoRay's hot loop is the bare forward pass of the same network, type, layout and batch. On top of it
stand, for a child with m of n weights mutated: drawing it (3.3 ns a mask word, 0.7 a noise word, 0.8 a table look-up,
4 for the index; about 12 ns a weight, and 3 for a dense child, which draws no mask), writing it (a gather from the
base and a scatter into the buffer, about two cache lines a weight, or 6 to 8 bytes a weight where it streams), undoing
it (the same without the drawing), and one log-softmax over the logits in float64. None of it depends on the images.
``tests/benchmarks/results`` holds the figures.
"""

import contextlib
import copy
import dataclasses
import functools
import resource
import statistics
import sys
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from evoray.benchmarks.baselines import (
    OTHERS,
    SIGMA,
    Other,
    OwnProcess,
    Taken,
    Timed,
    others_of,
    shared_loops,
    take,
    types_of,
)
from evoray.benchmarks.behind import Contestant, contestants
from evoray.config import DataConfig, ParentConfig
from evoray.errors import ConfigError
from evoray.evaluation.evaluator import Evaluator
from evoray.evaluation.program import DTYPES, Program
from evoray.evaluation.settings import like_a_worker
from evoray.evaluation.units.batch_size import TuneUnit
from evoray.evaluation.units.children import Candidate, ChildrenUnit
from evoray.evaluation.units.dtype import slow_reason
from evoray.fitness import FitnessSpec
from evoray.models import canonical_state, load_parent, mutable_names
from evoray.mutation import Entry, Lineage, Mutation, Space
from evoray.runtime.malloc import freed_memory_kept
from evoray.runtime.reading import shown
from evoray.runtime.seeds import derive_seed


def throughput(
    model: str,
    densities: Sequence[float],
    images: int,
    dtype: str = "float32",
    *,
    size: int = 224,
    batch_size: int | None = 256,
    naive_batch_size: int = 256,
    repeats: int = 5,
    threads: int | None = None,
    layout: Literal["channels-last", "contiguous"] = "channels-last",
    compile: bool = False,
    cuda_graphs: bool = False,
    naive: bool = True,
    evotorch: bool = True,
    behind: Sequence[float] = (),
) -> list[dict[str, Any]]:
    """Images a second of a bare forward loop, of EvoRay, and of what else one would use; an entry a density.

    Args:
        model: a torchvision architecture (random weights). densities: each 1 / K with an integer K.
        images, size: mock images of size x size pixels, one shard.
        batch_size: of the bare forward loop and of EvoRay; ``auto`` is the one that a run would find here.
        naive_batch_size: of the naive loop and of EvoTorch.
        repeats: rounds; each runs every contestant once, beginning with another one, and ratios are taken within a
            round.
        compile, cuda_graphs, layout: of the bare forward loop and of EvoRay alike. The naive loop and EvoTorch run
            what they run: float32, eager, contiguous, each in a process of its own. ``naive_dtype`` is the naive loop
            in ``dtype``; ``dtypes`` says which type each ran in, ``slow_dtype`` why ``dtype`` is slow here, if it is.
        behind: EvoRay's children change weights behind a cut alone, which leaves this share of all; the bare forward
            loop stays that of the whole network.

    Returns:
        entries of ``{"results": […]}``; ``spread`` holds (smallest, largest) of each ratio. A contestant that is not
        there has None for its images a second. ``cpu`` holds the same figures by this process's CPU time (of all its
        threads together): on a machine that others use too, they repeat better than those by the clock.
    """
    _check_model(model)
    parts = [_parts(density) for density in densities]
    program, network = _program(model, images, dtype, size, threads, layout, compile, cuda_graphs)
    with contextlib.ExitStack() as opened:
        opened.enter_context(like_a_worker(program))
        if batch_size is None:
            timed = Evaluator(copy.deepcopy(network), dataclasses.replace(program, compile=False, cuda_graphs=False))
            (batch_size,) = TuneUnit("select", 0).run(timed)
        evaluator = Evaluator(copy.deepcopy(network), dataclasses.replace(program, batch_size=batch_size))
        if program.device == "cpu":
            opened.enter_context(freed_memory_kept())
        loops: dict[str, Timed] = {"forward": lambda _: take(lambda: _forward(evaluator))}
        cuts = contestants(evaluator, network, behind, images)
        runs = [(cut, density, k) for cut in cuts for density, k in zip(densities, parts, strict=True)]
        for cut, density, k in runs:
            loops[_name(cut, density)] = functools.partial(_timed, cut.evaluator, k)
        whole = torch.cat([batch.inputs.float().contiguous() for batch in evaluator.prepared("select", 0).batches])
        setting = (network, whole[:images].cpu(), naive_batch_size, densities[0], program.device)
        seconds = _with_others(loops, others_of(dtype, naive, evotorch), setting, repeats, dtype)
        shared = {
            "model": model,
            "dtype": dtype,
            "dtypes": types_of(dtype),
            "slow_dtype": slow_reason(dtype, evaluator.device) or None,
            "images": images,
            "layout": layout,
            "compile": compile,
            "cuda_graphs": cuda_graphs,
            "threads": torch.get_num_threads(),
            "batch_size": batch_size,
            "naive_batch_size": naive_batch_size,
            "size": size,
            "repeats": repeats,
            "device": evaluator.device_name,
            "peak_memory_mb": _peak_memory_mb(),
        }
        return [
            {
                **shared,
                "density": density,
                "behind": cut.behind,
                "cut": cut.cut,
                "kept_kib_per_image": cut.kept_kib_per_image,
                **_figures(seconds, _name(cut, density), images, _rebuild(cut.evaluator, k)),
            }
            for cut, density, k in runs
        ]


def _check_model(model: str) -> None:
    """Raises ConfigError where it is a folder, a file or a name on the Hub."""
    if not model.replace("_", "").isalnum():
        raise ConfigError(
            f"--model {shown(model)}: bench throughput knows the image networks of torchvision by their names, such as "
            "resnet18, and no texts, folders or files. How fast a run is on a network of yours, it says itself: "
            "work.images_per_s in its summary.json counts its records."
        )


def _with_others(
    loops: dict[str, Timed], others: list[Other], setting: tuple[Any, ...], repeats: int, dtype: str
) -> dict[str, list[Taken]]:
    """What all take beside the others that are there, each in its own process."""
    with contextlib.ExitStack() as opened:
        for name, make, own in others:
            if (other := opened.enter_context(OwnProcess(make, (*setting, *own), name))).there:
                loops[name] = other
        return shared_loops(_alternate(loops, repeats), dtype)


def _name(cut: Contestant, density: float) -> str:
    return f"evoray {density:g} behind {cut.behind:g}"


def _timed(evaluator: Evaluator, parts: int, number: int) -> Taken:
    return take(lambda: _evoray(evaluator, parts, number))


def _parts(density: float) -> int:
    parts = round(1 / density) if 2**-31 <= density <= 1 else 0
    if parts < 1 or abs(parts * density - 1) > 1e-6:
        raise ConfigError(f"--density {density}: give 1 / K with an integer K, such as 0.1 or 0.01.")
    return parts


def _program(
    model: str,
    images: int,
    dtype: str,
    size: int,
    threads: int | None,
    layout: Literal["channels-last", "contiguous"],
    compile: bool,
    cuda_graphs: bool,
) -> tuple[Program, nn.Module]:
    if dtype not in DTYPES:
        raise ConfigError(f"--dtype {dtype}: give one of {', '.join(DTYPES)}.")
    if layout not in ("channels-last", "contiguous"):
        raise ConfigError(f"--layout {layout}: give channels-last or contiguous.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if cuda_graphs and device == "cpu":
        raise ConfigError("--cuda-graphs needs a GPU, and there is none.")
    parent = load_parent(ParentConfig(source="torchvision", name=model, weights="random"))
    state, _ = canonical_state(parent.model)
    mock = f"mock:size={size},shard_size={max(images, 2)}"
    program = Program(
        space=Space.from_state(state, mutable_names(parent.model, ("*",), ()), "rms"),
        mean=parent.preprocessing.mean or (0.0,) * 3,
        std=parent.preprocessing.std or (1.0,) * 3,
        data=DataConfig(path=f"{mock},images={images}", test_path=f"{mock},images=1"),
        seed=0,
        fitness=FitnessSpec("nll"),
        task="image-classification",
        device=device,
        dtype=dtype,
        batch_size=256,
        threads=threads or torch.get_num_threads(),
        compile=compile,
        deterministic=True,
        layout=layout,
        cuda_graphs=cuda_graphs,
        resident_gib=16,  # all images of the benchmark, whatever their number
    )
    return program, parent.model


def _alternate(loops: dict[str, Timed], repeats: int) -> dict[str, list[Taken]]:
    """What every contestant took in every round, after one round to warm up; each round begins with another one."""
    seconds: dict[str, list[Taken]] = {name: [] for name in loops}
    names = list(loops)
    for number in range(repeats + 1):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            taken = loops[name](number)
            if number:
                seconds[name].append(taken)
    return seconds


def _figures(seconds: dict[str, list[Taken]], own: str, images: int, rebuild: Taken) -> dict[str, Any]:
    """By the clock, and under ``cpu`` by CPU time."""
    by_clock, by_cpu = (
        _rates({name: [one[which] for one in taken] for name, taken in seconds.items()}, own, images)
        | {"rebuild_ms": 1000 * rebuild[which]}
        for which in (0, 1)
    )
    return by_clock | {"cpu": by_cpu}


def _rates(seconds: dict[str, list[float]], own: str, images: int) -> dict[str, Any]:
    def rate(name: str) -> float | None:
        return images / statistics.median(seconds[name]) if name in seconds else None

    entry: dict[str, Any] = {
        "images_per_s": {"evoray": rate(own)} | {name: rate(name) for name in ("forward", *OTHERS)},
        "spread": {},
    }
    for other in ("forward", *OTHERS):
        if other in seconds:
            ratios = [b / a for a, b in zip(seconds[own], seconds[other], strict=True)]
            entry[f"ratio_to_{other}"] = statistics.median(ratios)
            entry["spread"][other] = (min(ratios), max(ratios))
    return entry


def _forward(evaluator: Evaluator) -> None:
    """The loop that nothing can beat: the same network, batches and code, and nothing done with the logits."""
    with torch.inference_mode():
        for batch in evaluator.prepared("select", 0).batches:
            evaluator.network(batch.inputs)


def _mutation(parts: int, number: int) -> Mutation:
    return Mutation(
        mask_seed=derive_seed(0, number), parts=parts, part=0, noise_seed=derive_seed(1, number), sigma=SIGMA
    )


def _evoray(evaluator: Evaluator, parts: int, number: int) -> None:
    child = Candidate("bench", (Entry(1.0, _mutation(parts, number)),))
    ChildrenUnit(Lineage(), (child,), "select", 0).run(evaluator)


def _rebuild(evaluator: Evaluator, parts: int) -> Taken:
    """What it takes to draw, write and undo one child; medians of nine."""

    def one(number: int) -> None:
        with evaluator.host.child((Entry(1.0, _mutation(parts, number)),)):
            pass

    wall, cpu = zip(*[take(lambda: one(number)) for number in range(10)][1:], strict=True)  # noqa: B023
    return statistics.median(wall), statistics.median(cpu)


def _peak_memory_mb() -> float:
    """Of this process so far; on CUDA of the device's allocations."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

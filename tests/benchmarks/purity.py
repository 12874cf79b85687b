"""Every architecture of timm and torchvision under a number of weights: is it judged pure, and does an export of a
child, loaded into a fresh network, give the child's logits bit for bit?

``python tests/benchmarks/purity.py RESULTS.json`` goes on where it was stopped: an architecture that is in the file is
not tried again. Weights are random; what cannot be built without a network is listed with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evoray.config import ParentConfig
from evoray.data.shard import Shard
from evoray.errors import ModelError
from evoray.evaluation.exported import Export
from evoray.evaluation.host import ModelHost, cast_floating
from evoray.evaluation.packing import pack_model, unpack_model
from evoray.evaluation.passes import sample_of
from evoray.evaluation.probe import probe
from evoray.evaluation.purity import check_purity
from evoray.models import Parent, canonical_state, fresh_network, load_parent, mutable_names, write_state
from evoray.mutation import Space
from evoray.runtime.reading import reason_of
from evoray.tasks.registry import make_task

MOST_WEIGHTS = 60_000_000
SMALL = 96
"""Pixels a side that are tried before an architecture's own."""
CPU = torch.device("cpu")


def architectures(seed: int = 0) -> list[tuple[str, str]]:
    """(source, name) of every classifier of both libraries: one of each family first, then another of each, …"""
    import timm
    from torchvision import models

    families = {("timm", module): timm.list_models(module=module) for module in timm.list_modules()}
    for name in models.list_models(module=models):
        families.setdefault(("torchvision", models.get_model_builder(name).__module__), []).append(name)
    random, order = np.random.default_rng(seed), []
    for (source, _), names in families.items():
        places = random.permutation(len(names)) + random.random()
        order += [(place, source, name) for place, name in zip(places, names, strict=True)]
    return [(source, name) for _, source, name in sorted(order)]


def weights_of(source: str, name: str) -> int:
    """How many: torchvision publishes it, timm's networks are built of tensors without values."""
    import timm
    from torchvision import models

    if source == "torchvision":
        return int(next(iter(models.get_model_weights(name))).meta["num_params"])
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in timm.create_model(name).parameters())


def judged(source: str, name: str, folder: Path) -> dict[str, Any]:
    """What came of one: ``verdict`` is pure, refused, different, failed or not built; with a ``reason``."""
    config = ParentConfig(source=source, name=name, weights="random")
    begun = time.perf_counter()
    try:
        parent = load_parent(config)
    except Exception as error:
        return {"verdict": "not built", "reason": reason_of(error)}
    size, images = _images(parent)
    found: dict[str, Any] = {"size": size}
    try:
        found |= _compared(config, parent, images, folder)
    except ModelError as error:
        found |= {"verdict": "refused", "reason": str(error)}
    except Exception as error:
        found |= {"verdict": "failed", "reason": reason_of(error)}
    return found | {"seconds": round(time.perf_counter() - begun, 2)}


def _compared(config: ParentConfig, parent: Parent, records: Shard, folder: Path) -> dict[str, Any]:
    state, aliases = canonical_state(parent.model)
    space = Space.from_state(state, mutable_names(parent.model, ("*",), ()), "rms")
    channels = records.images.shape[1]
    mean, std = (0.5,) * channels, (0.25,) * channels

    def samples(dtype: torch.dtype) -> Any:
        return sample_of(make_task("image-classification"), records, np.arange(2), mean, std, dtype)

    export = Export(state, aliases, space, lambda state: fresh_network(parent, config, None, 0, state))
    begun = time.perf_counter()
    notes = check_purity(parent, export, samples)
    took = time.perf_counter() - begun
    host = ModelHost(unpack_model(pack_model(parent.model)), space, "cpu")
    batch = samples(torch.float32).twice
    with host.child(probe(0.1)), torch.inference_mode():
        weights, here = state | host.tensors(), host.forward(batch.clone()).clone()
    path = folder / "child.safetensors"
    write_state(path, weights | {alias: weights[tensor].clone() for alias, tensor in aliases.items()})
    again = load_parent(config.model_copy(update={"weights": str(path)}), seed=7).model
    path.unlink()
    with torch.inference_mode():
        there = cast_floating(again, torch.float32, CPU)(batch.clone())
    said = {"purity_seconds": round(took, 2), **({"notes": notes} if notes else {})}
    if torch.equal(here, there):
        return {"verdict": "pure", **said}
    off = float((here - there).abs().max())
    return {"verdict": "different", "reason": f"the export's logits differ by {off:.3g}", **said}


def _images(parent: Parent) -> tuple[int, Shard]:
    """Two of the smallest size that the network runs on: SMALL, or its own."""
    own = getattr(parent.model, "pretrained_cfg", {})
    channels, size, _ = own.get("input_size", (3, parent.preprocessing.crop or 224, 0))
    random = np.random.default_rng(0)
    for side in (SMALL, size):
        images = random.integers(256, size=(2, channels, side, side), dtype=np.uint8)
        try:
            with torch.inference_mode():
                parent.model(torch.from_numpy(images) / 255)
        except Exception:
            if side == size:
                raise
            continue
        return side, Shard(0, images, np.zeros(2, dtype=np.int64), ["a", "b"])
    raise AssertionError("the last size is returned or raises")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--shuffle", type=int, default=0, help="seed of the order in which they are tried")
    parser.add_argument("--most", type=int, default=MOST_WEIGHTS, help="leave out architectures of so many weights")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    known = json.loads(options.results.read_text()) if options.results.exists() else {}
    end = time.monotonic() + 60 * options.minutes
    names = architectures(options.shuffle)
    with tempfile.TemporaryDirectory() as folder:
        for source, name in names:
            key = f"{source}/{name}"
            if key in known or time.monotonic() > end:
                continue
            count = weights_of(source, name)
            if count >= options.most:
                continue
            known[key] = {"weights": count, **judged(source, name, Path(folder))}
            temporary = options.results.with_suffix(".part")
            temporary.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
            os.replace(temporary, options.results)
            print(len(known), "of", len(names), key, known[key], flush=True)


if __name__ == "__main__":
    main()

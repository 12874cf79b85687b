"""Beside ``run.py``'s searches: BatchNorm statistics of the corrupted half, and no search (Schneider et al. 2020, arXiv
2006.16971): what ``soup.recalibrate`` does to a soup, done to the parent. One forward pass an image, and no label.

``PYTHONPATH=tests/integration:tests/benchmarks/gain python tests/benchmarks/adaptation/norms.py RESULTS.json --work
DIR``, where ``run.py``'s shards may lie.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import lites
import torch
from corruptions import CORRUPTIONS
from photographs import corrupted
from run import CPU, SEED, about, of_photographs, photographs_in_order
from torch import nn

from evoray.data import open_dataset
from evoray.models import Parent
from evoray.models.batchnorm import batchnorm_layers, measured, statistics_of, with_buffers
from evoray.tasks.base import Preparation
from evoray.tasks.image_classification import ImageClassification

SETTING = "BatchNorm statistics"
TASK = ImageClassification()


def batch(parent: Parent, path: Path, dtype: torch.dtype) -> tuple[Any, torch.Tensor]:
    shard = open_dataset(str(path)).load(0)
    rows = photographs_in_order(shard)
    how = Preparation(CPU, dtype, True, parent.preprocessing.mean or (), parent.preprocessing.std or ())
    return TASK.batch(shard, rows, how), TASK.targets(shard, rows, CPU)


def answered(model: nn.Module, parent: Parent, path: Path) -> dict[str, list[float]]:
    own, labels = batch(parent, path, torch.bfloat16)
    model = copy.deepcopy(model).to(torch.bfloat16, memory_format=torch.channels_last)
    return of_photographs(TASK.outputs(model, own).double().log_softmax(1), labels)


def compared(parent: Parent, adapted: Path, other: Path) -> dict[str, Any]:
    """The parent and the parent with statistics of ``adapted``, on both halves."""
    model = parent.model.eval()
    with torch.inference_mode():
        with measured(model) as moments:
            TASK.outputs(model, batch(parent, adapted, torch.float32)[0])
        layers = {name: layer.num_features for name, layer in batchnorm_layers(model).items()}
        paths = {"adapted": adapted, "other": other}
        rows = {half: {"parent": answered(model, parent, path)} for half, path in paths.items()}
        with with_buffers(model, statistics_of(layers, moments.row())):
            for half, path in paths.items():
                rows[half]["statistics"] = answered(model, parent, path)
    return {"rows": rows, "commit": about()["commit"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--networks", nargs="*", default=list(lites.SIDES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs: dict[str, Any] = {}
    for network in options.networks:
        parent = getattr(lites, network)()
        for kind in CORRUPTIONS:
            for fold in (0, 1):
                halves = (corrupted(options.work, kind, SEED, half) for half in (fold, 1 - fold))
                runs[f"{network}/none/{kind}/{SEED}/{fold}/{SETTING}"] = compared(parent, *halves)
        options.results.write_text(json.dumps({"about": about(), "runs": runs}))
        print(network, flush=True)


if __name__ == "__main__":
    main()

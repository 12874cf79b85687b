from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from evoray.data import Shard, normalise
from evoray.tasks.base import Preparation
from evoray.tasks.image_classification import ImageClassification
from evoray.tasks.sums import SumsLayout

TASK = ImageClassification()
IMAGES = np.random.default_rng(0).integers(256, size=(10, 3, 8, 8), dtype=np.uint8)
RECORDS = Shard(0, IMAGES, np.arange(10), [str(row) for row in range(10)])
ROWS = np.array([0, 2, 5])
HOW = Preparation(torch.device("cpu"), torch.float32, True, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))


def test_figures_agree_with_torch():
    logits, labels = torch.randn(500, 7, generator=torch.Generator().manual_seed(0)), torch.arange(500) % 7
    total = SumsLayout(TASK.columns).by_name(TASK.sums(logits, labels))
    figures = TASK.figures(total)
    assert figures["nll"].value == pytest.approx(torch.nn.functional.cross_entropy(logits.double(), labels).item())
    assert figures["top1"].value == (logits.argmax(1) == labels).double().mean().item()
    assert figures["top5"].value == (logits.topk(5).indices == labels[:, None]).any(1).double().mean().item()
    assert [name for name, one in figures.items() if one.higher_is_better] == ["top1", "top5"]


@pytest.mark.parametrize("width", [None, 3, 5])
def test_a_batch_holds_its_rows_in_order_and_is_filled_up(width):
    batch = TASK.batch(RECORDS, ROWS, Preparation(**{**vars(HOW), "width": width}))
    expected = normalise(torch.from_numpy(IMAGES[ROWS]), HOW.mean, HOW.std, torch.float32)
    assert (len(batch.inputs), batch.count) == (width or 3, 3)
    assert torch.equal(batch.unfilled().inputs, expected)
    assert batch.inputs.is_contiguous(memory_format=torch.channels_last)
    assert TASK.batch_bytes(RECORDS, len(batch.inputs), HOW) == batch.inputs.nbytes
    assert TASK.targets(RECORDS, ROWS, HOW.device).tolist() == [0, 2, 5]


def test_ingest_learns_the_schema_without_torch():
    code = "import sys, evoray.tasks.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

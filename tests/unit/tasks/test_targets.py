"""What tasks of targets share: sums are of what is kept, and outputs that are not finite are counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evoray.tasks.multi_label import MultiLabel
from evoray.tasks.regression import Regression


@pytest.mark.parametrize("task", [MultiLabel(), Regression()], ids=lambda task: task.schema.task)
def test_a_record_that_is_not_finite_is_counted_and_leaves_no_sum(task):
    outputs, targets = torch.tensor([[1.0], [2.0], [-1.0]]), torch.tensor([[1], [0], [1]])
    whole = dict(zip(task.columns, task.sums(outputs, targets).tolist(), strict=True))
    assert (whole["n"], whole["invalid"]) == (3, 0)
    kept = task.records(outputs, targets)
    assert list(whole.values())[2:] == [pytest.approx(math.fsum(kept[name])) for name in task.kept]
    outputs[1] = math.nan
    broken = task.sums(outputs, targets)
    assert broken[:2].tolist() == [3, 1] and np.isnan(broken[2:]).all()

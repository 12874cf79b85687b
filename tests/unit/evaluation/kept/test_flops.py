from __future__ import annotations

import pytest
import torch
from torch import nn

from evoray.evaluation.kept.tape import record


def counted(run, *inputs):
    with torch.inference_mode():
        tape, _ = record(lambda: run(*inputs), inputs, lambda tensor: ())
    return sum(one.flops for one in tape.operations)


@pytest.mark.parametrize(
    ("run", "shapes", "expected"),
    [
        (nn.Linear(3, 5), [(2, 3)], 2 * 2 * 3 * 5),
        (nn.Conv2d(4, 6, 3, padding=1), [(2, 4, 8, 8)], 2 * 2 * 6 * 8 * 8 * 4 * 9),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), [(1, 4, 8, 8)], 2 * 4 * 8 * 8 * 9),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), [(1, 4, 8, 8)], 2 * 4 * 8 * 8 * 6 * 4),
        (nn.Conv1d(2, 3, 5), [(1, 2, 9)], 2 * 3 * 5 * 2 * 5),
        (torch.matmul, [(2, 3), (3, 4)], 2 * 2 * 3 * 4),
        (torch.bmm, [(5, 2, 3), (5, 3, 4)], 2 * 5 * 2 * 3 * 4),
        (nn.functional.scaled_dot_product_attention, [(1, 2, 7, 4)] * 3, 2 * 2 * (7 * 7 * 4) * 2),
        (nn.ReLU(), [(2, 3)], 0),
        (nn.BatchNorm1d(3).eval(), [(2, 3)], 0),
    ],
)
def test_products_are_counted(run, shapes, expected):
    assert counted(run, *(torch.ones(shape) for shape in shapes)) == expected


def test_the_fused_attention_counts_as_its_parts():
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval().requires_grad_(False)
    rows = torch.ones(2, 5, 8)
    fused = counted(lambda one: attention(one, one, one, need_weights=False)[0], rows)
    projections, products = 2 * 2 * 5 * 8 * 8 * 4, 2 * 2 * 2 * (5 * 5 * 4) * 2
    assert fused == projections + products

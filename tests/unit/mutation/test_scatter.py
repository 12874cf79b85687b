"""The kernel that writes to a GPU, run by Triton's interpreter on the CPU; ``tests/gpu`` runs it where there is one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import torch
from evoray.mutation.scatter import BLOCK, copy_unique_

torch.manual_seed(0)
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    for n, m in ((10, 0), (10, 1), (BLOCK, BLOCK), (3 * BLOCK, BLOCK + 1), (2 * BLOCK + 7, 2 * BLOCK + 7)):
        flat, values = torch.randn(n).to(dtype), torch.randn(m).to(dtype)
        flat[::3] = -0.0
        indices = torch.randperm(n)[:m]
        expected = flat.clone().index_copy_(0, indices, values)
        assert copy_unique_(flat, indices, values) is flat
        assert torch.equal(flat.view(torch.uint8), expected.view(torch.uint8)), (dtype, n, m)
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="comes with PyTorch's CUDA builds alone")
def test_it_writes_what_pytorch_would_bit_for_bit():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr

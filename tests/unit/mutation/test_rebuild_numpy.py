"""Whoever has NumPy can rebuild a child: the short program beside this file, against EvoRay's own rebuild."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from recipes import DEEP_LINEAGE, DEPTH, LINEAGE, parent, quantized, space
from safetensors.torch import save_file

from evoray.mutation import lineage_document, little_endian, rebuild

PROGRAM = Path(__file__).parent / "rebuild_numpy.py"


@pytest.mark.parametrize("format_", [1, 2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_numpy_program_gives_the_same_bits(dtype: torch.dtype, format_: int, tmp_path: Path) -> None:
    state = quantized(dtype) if format_ == 4 else parent(dtype)
    ours, lineage = (space(state), LINEAGE) if format_ == 1 else (space(state).with_depth(DEPTH), DEEP_LINEAGE)
    document = lineage_document("tiny", state, ours, lineage)
    assert document["format"] == document["space"]["format"] == format_
    paths = [tmp_path / name for name in ("lineage.json", "space.json", "parent.safetensors", "out.npz")]
    paths[0].write_text(json.dumps(document))
    paths[1].write_text(json.dumps(ours.to_json()))
    save_file(state, paths[2])
    subprocess.run([sys.executable, "-I", str(PROGRAM), *map(str, paths)], check=True, timeout=60)
    rebuilt = rebuild(document, state, ours)
    with np.load(paths[3]) as found:
        assert sorted(found) == sorted(spec.name for spec in ours.tensors)
        for spec in ours.tensors:
            assert found[spec.name].shape == spec.shape
            assert found[spec.name].tobytes() == little_endian(rebuilt[spec.name]).tobytes()


def test_the_program_needs_numpy_and_the_standard_library_only() -> None:
    nodes = list(ast.walk(ast.parse(PROGRAM.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == {"json", "pathlib", "sys", "statistics", "numpy"}

"""What a user would have: snippets whose kind is known. Here they are cut at random out of the files of the project's
own environment (uv.lock), BYTES long, as many of each kind as there are files for, up to MOST; no file is in both sets.

``evoray data ingest snippets:select shards/select --for run.toml``, and the same for ``test``.
"""

from __future__ import annotations

import json
import os
import sysconfig
from functools import partial
from pathlib import Path

import numpy as np
from torch.utils.data import StackDataset

KINDS = {
    **{"python": "py", "c": "c", "cpp": "hpp cc cpp", "proto": "proto", "fortran": "f90 f", "cmake": "cmake"},
    **{"csv": "csv", "json": "json", "markdown": "md", "rst": "rst", "javascript": "js"},
}
BYTES, MOST, SIDE, PADDING = 200, 24, 1024, 256
LABELS = Path(os.environ.get("MAGIKA", ".")) / "config.min.json"


def tokens(snippet: bytes) -> np.ndarray:
    """int64 [2048], as Magika makes them: the first 1,024 bytes and the last, filled up outside."""
    found = np.full(2 * SIDE, PADDING)
    values = np.frombuffer(snippet.strip()[:SIDE], dtype=np.uint8)
    found[: len(values)] = values
    found[2 * SIDE - len(values) :] = values
    return found


def cut(split: str, seed: int = 0) -> StackDataset:
    labels = json.loads(LABELS.read_text())["target_labels_space"]
    random, inputs, targets = np.random.default_rng(seed), [], []
    packages = Path(sysconfig.get_paths()["purelib"])
    for kind, suffixes in KINDS.items():
        paths = sorted(path for one in suffixes.split() for path in packages.rglob(f"*.{one}"))
        order = random.permutation(len(paths))
        half = min(MOST, len(paths) // 2)
        for at in order[:half] if split == "select" else order[half : 2 * half]:
            content = paths[at].read_bytes()[:100_000]
            start = random.integers(max(1, len(content) - BYTES))
            if len(snippet := content[start : start + BYTES]) >= BYTES // 2:
                inputs.append(tokens(snippet))
                targets.append(labels.index(kind))
    return StackDataset(inputs, targets)


select, test = partial(cut, "select"), partial(cut, "test")

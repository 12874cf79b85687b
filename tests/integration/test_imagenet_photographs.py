"""Real photographs, a real network with its real weights: 20 ImageNet images and EfficientNet-Lite0."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pyarrow.parquet
import pytest

HERE = Path(__file__).parent
CONFIG = """
[parent]
source = "module"
name = "lite0:parent"
[data]
path = "{shards}"
[mutation]
sigma = 0.02
[search]
children = 4
[ensemble]
size = 2
[statistics]
children_on_test = 2
[compute]
backend = "local"
"""


@pytest.fixture
def photographs(tmp_path):
    """An ImageFolder tree of ImageNet's thousand classes, most of them empty."""
    root = tmp_path / "photographs"
    for label in range(1000):
        (root / f"{label:04d}").mkdir(parents=True)
    files = sorted((Path(importlib.util.find_spec("foolbox").origin).parent / "data").glob("imagenet_*"))
    assert len(files) == 20
    for file in files:
        shutil.copy(file, root / f"{int(file.stem.split('_')[-1]):04d}")
    return root


def test_the_parent_is_right_on_18_of_20_and_children_are_judged(photographs, tmp_path, cli):
    shutil.copy(HERE / "lite0.py", tmp_path)
    config, shards, out = tmp_path / "run.toml", tmp_path / "shards", tmp_path / "run"
    config.write_text(CONFIG.format(shards=shards))
    code, ingested, _ = cli("data", "ingest", photographs, shards, "--for", config, "--workers", 1, "--json")
    assert (code, json.loads(ingested)["rows"]) == (0, 20)
    assert cli("data", "verify", shards)[0] == 0
    code, printed, errors = cli("run", config, "--out", out, "--json")
    assert code == 0, errors
    summary = json.loads(printed)
    right = sum(round(summary["parent"][split]["top1"] * summary["parent"][split]["n"]) for split in ("select", "test"))
    assert right == 18
    population = pyarrow.parquet.read_table(out / "population.parquet")
    assert population.num_rows == 4
    assert set(population["select_n"].to_pylist()) == {10}
    assert summary["ensemble"]["n"] == 10
    assert len(summary["ensemble"]["members"]) == 2
    assert (out / "report.html").stat().st_size > 20_000

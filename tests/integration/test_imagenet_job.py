"""ImageNet's study as a user runs it, on a small imitation of the validation set and with random weights.

One command makes the shards and runs everything; it is killed twice on the way and given again.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from evoray.data import ArrowDataset
from evoray.models.classes import synsets

REPOSITORY = Path(__file__).parents[2]
STUDY = REPOSITORY / "jobs" / "configs" / "studies" / "imagenet.toml"
SMALL = ("shufflenet_v2_x1_0", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf", "resnet18")
SHARDS = {"imagenet-256-224-bilinear", "imagenet-256-224-bicubic"}
IMAGES = 48
DEVKIT_IDS = np.random.default_rng(0).permutation(1000) + 1
"""Of the sorted synsets: in another order, as the real devkit's are."""


def label(number):
    """Output of torchvision's networks that is right for an image."""
    return number * 37 % 1000


@pytest.fixture
def validation_set(tmp_path):
    """ILSVRC2012's layout: a flat folder, and the devkit beside it with its own numbers for the classes."""
    folder = tmp_path / "ILSVRC2012" / "val"
    folder.mkdir(parents=True)
    found = Path(importlib.util.find_spec("foolbox").origin).parent / "data"
    photographs = [Image.open(path).convert("RGB") for path in sorted(found.glob("imagenet_*"))]
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        size = tuple(int(side) for side in random.integers(200, 500, size=2))
        picture, path = photographs[number % 20].resize(size), folder / f"ILSVRC2012_val_{number + 1:08d}.JPEG"
        if number == 1:
            picture.save(path, "PNG")
        else:
            {2: picture.convert("CMYK"), 3: picture.convert("L")}.get(number, picture).save(path, "JPEG")
    cut = folder / "ILSVRC2012_val_00000005.JPEG"
    cut.write_bytes(cut.read_bytes()[:3000])
    write_devkit(folder.parent / "ILSVRC2012_devkit_t12.tar.gz")
    return folder


def write_devkit(path):
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    rows = [(int(number), synset, "words", "gloss", 0) for number, synset in zip(DEVKIT_IDS, synsets(), strict=True)]
    meta = io.BytesIO()
    table = np.array([*rows, (1001, "n00001740", "entity", "gloss", 3)], dtype=kinds)
    scipy.io.savemat(meta, {"synsets": table.reshape(-1, 1)})
    truth = "".join(f"{DEVKIT_IDS[label(number)]}\n" for number in range(IMAGES))
    contents = {"meta.mat": meta.getvalue(), "ILSVRC2012_validation_ground_truth.txt": truth.encode()}
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"ILSVRC2012_devkit_t12/data/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def command(out, *more):
    overrides = {
        "parents": [f"../imagenet/{name}.toml" for name in SMALL],
        "children": 2,
        "sparse": "[{parts = 100, sigma = [0.05]}]",
        "dense.sigma": [0.003],
        "run.parent.weights": "random",
        "run.compute.backend": "local",
        "run.compute.workers": 1,
        "run.compute.threads_per_worker": 1,
        "run.ensemble.size": 2,
    }
    sets = [part for key, value in overrides.items() for part in ("--set", f"{key}={value}")]
    given = ("--images", "ILSVRC2012/val", "--out", out)
    return [sys.executable, REPOSITORY / "jobs" / "paper.py", STUDY, *given, *sets, *more]


def kill_when(process, true):
    """SIGKILL, once ``true()``."""
    with process:
        while process.poll() is None and not true():
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
        os.kill(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_command_from_the_validation_folder_to_one_table(validation_set, tmp_path):
    out, shards = tmp_path / "out", tmp_path / "shards"
    begin = {"cwd": tmp_path, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    kill_when(subprocess.Popen(command(out), **begin), lambda: any(shards.glob(".*.part/plan.json")))
    kill_when(subprocess.Popen(command(out), **begin), lambda: len(list(out.rglob("summary.json"))) >= 3)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")}
    ended = subprocess.run(command(out), **begin)
    assert ended.returncode == 0, ended.stderr
    assert all(path.stat().st_mtime_ns == made for path, made in before.items()), "nothing is run twice"
    assert {path.name for path in shards.iterdir()} == SHARDS
    shard = ArrowDataset(shards / "imagenet-256-224-bilinear").load(0)
    places = {name: int(one) for name, one in zip(shard.sources, shard.labels, strict=True)}
    named = {f"ILSVRC2012_val_{number + 1:08d}.JPEG": label(number) for number in range(IMAGES)}
    del named["ILSVRC2012_val_00000005.JPEG"]
    assert places == named, "labels are torchvision's outputs, not the devkit's numbers"
    check_table(ended.stdout, out)
    again = subprocess.run(command(out, "--tables", "--json"), **begin)
    assert json.loads(again.stdout)["runs"] == 2 * len(SMALL)


def check_table(shown, out):
    """Every architecture has its two rows, with figures in them; what is on the disk says the same."""
    assert "In short" in shown and "all tables:" in shown
    assert all(sum(name in line for line in shown.splitlines()) == 2 for name in SMALL), "names are not cut"
    document = json.loads((out / "study.json").read_text())
    table = document["tables"][-1]
    assert table["title"] == "In short"
    assert [row[0] for row in table["rows"]] == [name for name in SMALL for _ in "ab"]
    assert {one["parent"] for one in document["outcomes"]} == set(SMALL)
    for path in out.rglob("summary.json"):
        summary = json.loads(path.read_text())
        assert sum(summary["splits"].values()) == IMAGES - 1
        assert 6 < summary["parent"]["test"]["nll"] < 9, "random weights on 1,000 classes"
    text = (out / "study.md").read_text()
    assert all(name in text for name in SMALL) and "nan" not in text

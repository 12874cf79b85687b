"""Networks of images whose targets are labels or numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sent import encoded

from evoray import evolve
from evoray.config import parse_config
from evoray.ingest.options import Options
from evoray.ingest.records.gather import Wanted
from evoray.ingest.records.images import ingest_images
from evoray.runtime.progress import Progress
from evoray.serving.plan import Plan
from evoray.serving.predictor import Predictor

MODEL = """
import torch
from torch import nn


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
"""


@pytest.fixture(params=["multi-label", "regression"])
def finished(request, tmp_path):
    """Its predictor, a picture, and the soup's outputs for it."""
    pictures = np.random.default_rng(0).integers(0, 255, (12, 9, 10, 3), dtype=np.uint8)
    (tmp_path / "pictures").mkdir()
    rows = ["file,left,right"]
    for number, picture in enumerate(pictures):
        (tmp_path / f"pictures/{number}.png").write_bytes(encoded(picture.transpose(2, 0, 1)))
        rows.append(f"{number}.png,{number % 2},{number % 3 // 2}")
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "served_model.py").write_text(MODEL)
    options = Options(resize="8", crop=8, workers=1, labels=tmp_path / "list.csv")
    wanted = Wanted(request.param, (), ("left", "right"), 0, 12, request.param)
    ingest_images(tmp_path / "pictures", tmp_path / "shards", wanted, options, Progress())
    config = parse_config(
        {
            "parent": {"source": "module", "name": "served_model:net"},
            "data": {"path": str(tmp_path / "shards"), "select": 0.5, "test": 0.5},
            "task": {"name": request.param},
            "mutation": {"sigma": 0.05},
            "search": {"children": 2, "generations": 1},
            "compute": {"backend": "local", "workers": 1, "device": "cpu", "dtype": "float32"},
        }
    )
    evolve(config, tmp_path / "run", config_dir=tmp_path, page=False)
    return request.param, Predictor(Plan(str(tmp_path / "run"), "soup", str(tmp_path))), encoded(
        pictures[0].transpose(2, 0, 1)
    )  # fmt: skip


def test_labels_and_numbers_have_the_names_of_their_columns(finished):
    kind, predictor, content = finished
    picture = predictor.prepare(content, 10**6)
    (answer,) = predictor.answers([picture], [5])
    model = predictor.network.models[0]
    with torch.inference_mode():
        outputs = model(torch.from_numpy(picture[None]).float() / 255)[0].double()
    if kind == "regression":
        assert [one["name"] for one in answer["values"]] == ["left", "right"]
        assert [one["value"] for one in answer["values"]] == pytest.approx(outputs.tolist(), abs=1e-5)
        return
    for one in answer["labels"]:
        logit = float(outputs[("left", "right").index(one["name"])])
        assert one["given"] == (logit > 0)
        assert one["probability"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)

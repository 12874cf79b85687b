"""Which trackers there are by name, and what each needs installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evoray.errors import ConfigError
from evoray.runtime.importing import import_function
from evoray.runtime.reading import shown
from evoray.tracking.base import Tracker


@dataclass(frozen=True)
class Entry:
    """where: ``package.module:Class``. needs: modules of the extra that has the tracker's name."""

    where: str
    needs: tuple[str, ...]


TRACKERS = {
    "tensorboard": Entry("evoray.tracking.tensorboard:TensorBoard", ("tensorboard",)),
    "mlflow": Entry("evoray.tracking.mlflow:MLflow", ("mlflow",)),
    "wandb": Entry("evoray.tracking.wandb:WandB", ("wandb",)),
}


def check_trackers(names: Iterable[str], config_dir: Path | None = None) -> None:
    """Raises ConfigError where one is unknown or not installed; imports none but a user's own."""
    for name in names:
        if ":" in name:
            made = import_function(name, config_dir)
            lacking = [method for method in ("begin", "round", "end") if not callable(getattr(made, method, None))]
            if lacking:
                raise ConfigError(
                    f'tracking.to = "{shown(name, 120)}": it has no {", ".join(lacking)}; see evoray/tracking/base.py.'
                )
        elif name not in TRACKERS:
            raise ConfigError(
                f'tracking.to = "{shown(name, 60)}": none of {", ".join(TRACKERS)}, package.module:Class (your own).'
            )
        elif any(find_spec(module) is None for module in TRACKERS[name].needs):
            raise ConfigError(f'tracking.to = "{name}": {name} is not installed. Run: pip install "evoray[{name}]"')


def make_tracker(name: str, config_dir: Path | None = None) -> Tracker:
    """The tracker of a name; imports its library."""
    entry = TRACKERS.get(name)
    found: Tracker = import_function(entry.where if entry else name, config_dir)()
    return found

"""Which trackers there are by name, and what each needs installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder
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
    """Raises ConfigError where one is unknown or not installed; imports none of them.

    Not even a user's own: the code that is imported here is part of what a run is, and a tracker is none of it.
    """
    for name in names:
        if ":" in name:
            _check_own(name, config_dir)
        elif name not in TRACKERS:
            from evoray.config.allowed import did_you_mean  # pydantic: a tracker's process begins without it

            raise ConfigError(
                f'tracking.to = "{shown(name, 60)}": none of {", ".join(TRACKERS)}, package.module:Class (your own).'
                f"{did_you_mean(name, TRACKERS)}"
            )
        elif any(find_spec(module) is None for module in TRACKERS[name].needs):
            raise ConfigError(f'tracking.to = "{name}": {name} is not installed. Run: pip install "evoray[{name}]"')


def _check_own(name: str, config_dir: Path | None) -> None:
    """Of ``package.module:Class``, as far as its source shows."""
    module, _, attribute = name.partition(":")
    places, spec = [str(config_dir), *sys.path] if config_dir else list(sys.path), None
    for depth in range(1, module.count(".") + 2):
        spec = PathFinder.find_spec(".".join(module.split(".")[:depth]), places)
        if spec is None or not attribute:
            raise ConfigError(
                f'tracking.to = "{shown(name, 120)}": no module {shown(module, 120)}. Put it into the configuration\'s '
                f"folder ({config_dir}) or install it."
            )
        places = list(spec.submodule_search_locations or ())
    source = spec and spec.origin and spec.origin.endswith(".py") and Path(spec.origin).read_bytes()
    if source and attribute.split(".")[0].encode() not in source:
        raise ConfigError(
            f'tracking.to = "{shown(name, 120)}": the module {shown(module, 120)} has no {shown(attribute, 120)}.'
        )


def make_tracker(name: str, config_dir: Path | None = None) -> Tracker:
    """The tracker of a name; imports its library.

    Raises:
        ConfigError: a user's own is none; what it is made of may raise anything.
    """
    entry = TRACKERS.get(name)
    found: Tracker = import_function(entry.where if entry else name, config_dir)()
    if lacking := [method for method in ("begin", "round", "end") if not callable(getattr(found, method, None))]:
        raise ConfigError(f"it has no {', '.join(lacking)}; see evoray/tracking/base.py")
    return found

"""May a run go on with what it is given now? Everything that its answer depends on must be what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evoray.config import RunConfig, parse_config
from evoray.errors import ConfigError, UsageError
from evoray.runtime.auto import given
from evoray.storage.directory import RunDirectory

IDENTITY = "journal/identity.json"
FREE = {
    "compute.backend",
    "compute.workers",
    "compute.cpus_per_worker",
    "compute.gpus_per_worker",
    "data.path",
    "data.test_path",
    "data.cache_dir",
    "data.cache_gb",
    "parent.weights",
    "parent.weights_key",
    "parent.classes",
}
"""Keys that a resumed run may change: they say where work is done and where bytes lie. Parent and data are compared by
digest, and what the first three imply (threads, device) is compared by its own key."""


def is_begun(directory: RunDirectory) -> bool:
    """Whether a run has started there; ``config.json`` is the last file that its beginning writes."""
    return directory.exists("config.json")


def is_finished(directory: RunDirectory) -> bool:
    """Whether a run has ended there; ``summary.json`` is the last file that its end writes, but for the page."""
    return directory.exists("summary.json")


def check_same(directory: RunDirectory, config: RunConfig, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Raises UsageError with every key that differs; ``"auto"`` stands for whatever it was resolved to before.

    Returns:
        The run's recorded configuration, with what of it may change as it is now.
    """
    recorded = _completed(directory.read_json("config.json"))
    before = {"config": recorded, **directory.read_json(IDENTITY)}
    # an older run did not record all of its identity
    now = {"config": config.model_dump(mode="json"), **{key: new for key, new in identity.items() if key in before}}
    differing = []
    for path, old, new in _differences((), {key: before.get(key) for key in now}, now):
        name = ".".join(path).removeprefix("config.")
        if name in FREE and given(new) is not None:
            recorded[path[1]][path[2]] = new
        elif path[0] == "code":
            differing.append(f"the code of {path[1]} is not what it was")
        elif name not in FREE and not (given(new) is None and _was_looked_up(directory, name)):
            differing.append(f"{name} was {old!r} and is {new!r}")
    if differing:
        raise UsageError(
            f"{directory.location}: --resume refused, {'; '.join(differing)}. "
            "Resume with what the run started with, or start a new one with another --out."
        )
    return recorded


def _was_looked_up(directory: RunDirectory, name: str) -> bool:
    """Whether the run itself found the recorded value of a key; a run that was given one is another run."""
    if name == "mutation.sigma":
        return directory.exists("window.json") and "chosen" in directory.read_json("window.json")
    return name.startswith("compute.")


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """Keys that are newer than the run, with their defaults."""
    try:
        return parse_config(config).model_dump(mode="json")
    except ConfigError:
        return config


def _differences(path: tuple[str, ...], before: Any, now: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(path of keys, value before, value now) of each leaf that differs."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted(before.keys() | now.keys()):
            yield from _differences((*path, key), before.get(key), now.get(key))
    elif before != now:
        yield path, before, now

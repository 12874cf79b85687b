"""A run directory sent to trackers after the run: to one that was away, or to one that nobody had named then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evoray.config.loading import validated
from evoray.config.tracking import TrackingConfig
from evoray.errors import UsageError
from evoray.storage.directory import RunDirectory
from evoray.storage.documents import BEGINNING
from evoray.storage.lock import check_free
from evoray.storage.metrics import read_rounds
from evoray.tracking.observer import Trackers, check

CONFIG, IDENTITY = BEGINNING


def replay(
    run: str | Path,
    to: str | Sequence[str] = (),
    *,
    again: bool = False,
    config_dir: Path | None = None,
    note: Callable[[str], None] = print,
    **settings: Any,
) -> bool:
    """Sends what trackers do not have yet: rounds, and once the run has finished its results.

    Args:
        run: a run directory, or its URI.
        to: names as in ``[tracking]``; left out, those that the run was made with.
        again: everything, as a new run, to those that have all already.
        config_dir: where a tracker of one's own is looked for.
        settings: other keys of ``[tracking]``.

    Returns:
        Whether each of them has everything now; ``note`` is told where it is, or what is missing.

    Raises:
        UsageError: no run there, or one at work; a damaged file; no tracker named.
    """
    directory = RunDirectory(str(run))
    check_free(directory)
    recorded, lines = directory.read_json(CONFIG), read_rounds(directory)
    given = {**(recorded.get("tracking") or {}), **({"to": to} if to else {}), **settings}
    config = validated(TrackingConfig, given, "[tracking]", config_dir)
    if not config.to:
        raise UsageError(f'{directory.location}: its run named no trackers. Name one: replay(run, "mlflow").')
    check(config, config_dir)
    trackers = Trackers(config, directory, config_dir)
    for name in config.to:
        if again:
            trackers.state.forget(name)
        elif trackers.state.has_ended(name):
            note(f"tracking: {name} has everything already")
    waiting = tuple(name for name in config.to if not trackers.state.has_ended(name))
    trackers.begin(str(directory.read_json(IDENTITY)["run_id"]), recorded, waiting)
    for line in lines:
        trackers.round(line)
    finished = directory.exists("summary.json")
    trackers.end(None if finished else "it has not finished")
    return trackers.close(note, patient=True) and finished

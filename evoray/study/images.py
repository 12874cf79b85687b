"""Shards for a study's parents: what is missing is made from one source, with each parent's own transform."""

from __future__ import annotations

from pathlib import Path

from evoray.config import load_config
from evoray.errors import ConfigError
from evoray.ingesting import Options, chosen_transform, ingest
from evoray.progress import Progress
from evoray.study.config import StudyConfig, parent_files

_PACKAGED = ("mnist", "fashion-mnist", "mock:")


def ingest_missing(study: StudyConfig, folder: Path, source: str, progress: Progress) -> None:
    """Makes every ``data.path`` of the parents' files that is no directory yet; parents that name one share it.

    Raises:
        ConfigError: two parents name one directory and need different transforms. DataError: see ``ingest``.
    """
    files = parent_files(study, folder)
    wanted = {name: Path(load_config(path).data.path) for name, path in files.items()}
    transforms = {
        name: chosen_transform(Options(config=files[name]))
        for name, path in wanted.items()
        if not str(path).startswith(_PACKAGED)
    }
    made: dict[Path, str] = {}
    for name, transform in transforms.items():
        path = wanted[name]
        first = made.setdefault(path, name)
        if transforms[first] != transform:
            raise ConfigError(
                f"{files[name]}: data.path = {str(path)!r} is also {first}'s, which needs other images "
                f"({transforms[first]} and {transform}). Name a directory for each."
            )
        if first == name and not path.is_dir():
            progress.note(f"shards for {name}: {path}")
            ingest(source, path, Options(config=files[name]), progress)

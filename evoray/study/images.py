"""Shards for a study's parents: what is missing is made from one source, with each parent's own transform."""

from __future__ import annotations

from pathlib import Path

from evoray.config import load_config
from evoray.data.packaged import PACKAGED
from evoray.errors import ConfigError
from evoray.ingesting import Options, chosen_transform, ingest
from evoray.progress import Progress
from evoray.study.config import StudyConfig, parent_files


def ingest_missing(study: StudyConfig, folder: Path, source: str, progress: Progress) -> None:
    """Makes every ``data.path`` of the parents' files that has no manifest yet; parents that name one share it.

    Raises:
        ConfigError: two parents name one directory and need different transforms. DataError: see ``ingest``.
    """
    files = parent_files(study, folder)
    named = {name: load_config(path).data.path for name, path in files.items()}
    wanted = {name: Path(spec) for name, spec in named.items() if spec not in PACKAGED and not spec.startswith("mock:")}
    transforms = {name: chosen_transform(Options(config=files[name])) for name in wanted}
    first = {path: name for name, path in reversed(wanted.items())}
    for name, path in wanted.items():
        if transforms[name] != transforms[first[path]]:
            raise ConfigError(
                f"{files[name]}: data.path = {str(path)!r} is also {first[path]}'s, which needs other images "
                f"({transforms[first[path]]} and {transforms[name]}). Name a directory for each."
            )
    for path, name in first.items():
        if not (path / "manifest.json").is_file():
            progress.note(f"shards for {name}: {path}")
            ingest(source, path, Options(config=files[name]), progress)

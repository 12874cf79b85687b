"""Shards for a study's parents: what is missing is made from one source, with each parent's own transform."""

from collections.abc import Sequence
from pathlib import Path

from evoray.data.manifest import NAME
from evoray.data.ready.packaged import PACKAGED
from evoray.errors import ConfigError
from evoray.ingest.options import Options, chosen, ingest
from evoray.runtime.paths import expanded
from evoray.runtime.progress import Progress
from evoray.study.config import run_config
from evoray.study.plan import Case


def local_shards(cases: Sequence[Case]) -> dict[Path, list[Path]]:
    """Directories of shards on this machine that the cases read, each with its parents' files."""
    found: dict[Path, list[Path]] = {}
    for case in cases:
        spec = run_config(case.study, case.path, case.parent, case.seed, {}).data.path
        if spec in PACKAGED or spec.startswith("mock:") or "://" in spec:
            continue
        files = found.setdefault(Path(expanded(spec)), [])
        if case.path not in files:
            files.append(case.path)
    return found


def has_shards(path: Path, file: Path) -> bool:
    """Whether a directory that a parent's file names holds finished shards, seen from here or from that file."""
    return (path / NAME).is_file() or (file.parent / path / NAME).is_file()


def ingest_missing(cases: Sequence[Case], source: str, progress: Progress, labels: Path | None = None) -> None:
    """Makes every ``data.path`` that has no manifest yet; parents that name one share it.

    Args:
        labels: as ``evoray data ingest`` takes it.

    Raises:
        ConfigError: two parents name one directory and need different transforms. DataError: see ``ingest``.
    """
    shards = local_shards(cases)
    for path, files in shards.items():
        transforms = {file: chosen(Options(config=file))[0] for file in files}
        for file, transform in transforms.items():
            if transform != transforms[files[0]]:
                raise ConfigError(
                    f"{file}: data.path = {str(path)!r} is also {files[0].stem}'s, which needs other images "
                    f"({transforms[files[0]]} and {transform}). Name a directory for each."
                )
    missing = {path: files for path, files in shards.items() if not has_shards(path, files[0])}
    for number, (path, files) in enumerate(missing.items(), 1):
        names = ", ".join(file.stem for file in files)
        progress.note(f"shards {number} of {len(missing)}, for {names}: {path}")
        ingest(source, path, Options(config=files[0], labels=labels), progress)

"""``evoray data ingest`` of records that are no labelled images."""

import time
from pathlib import Path
from typing import Any

from evoray.config import load_config
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column
from evoray.errors import ConfigError
from evoray.ingest.options import Options, made_by, summary
from evoray.ingest.records.gather import gather, gather_dataset
from evoray.ingest.records.images import ingest_images
from evoray.ingest.records.writing import Wanted, write_records
from evoray.ingest.segmentation.ingest import TASK, ingest_masks
from evoray.ingest.shard_file import WRITTEN, refuse_existing
from evoray.runtime.paths import expanded
from evoray.runtime.progress import Progress
from evoray.runtime.reading import quoted, shown
from evoray.tasks.registry import TASKS, make_task


def wanted_of(options: Options, task: str | None, inputs: tuple[str, ...], targets: tuple[str, ...]) -> Wanted | None:
    """What a command line asks for; None where that is images by class.

    Raises:
        ConfigError: columns are named and no task that has any.
    """
    config_dir = None if options.config is None else options.config.parent.resolve()
    if task is None and options.config is not None:
        task = load_config(options.config).task.name
    schema = None if task is None else make_task(task, config_dir).schema
    if (schema is None or schema.task != TASK) and (options.masks is not None or options.palette is not None):
        raise ConfigError("--masks and --palette are for images with masks: say --task segmentation.")
    if task is None or schema is None or not schema.lacking(WRITTEN):
        if inputs or targets:
            raise ConfigError("--input and --target name columns of a task's records: say which task with --task.")
        return None
    own = None if schema.task in TASKS else schema
    named = options.config, options.truncate, own, schema.columns.get("target") == "string"
    return Wanted(task, inputs, targets, options.seed, options.shard_size, schema.task, *named)


def ingest_records(
    source: str, dest: Path, wanted: Wanted, progress: Progress, options: Options | None = None
) -> dict[str, Any]:
    """Shards of the records in a table, of a folder's images with ``--labels``, or of a torch Dataset.

    source: a path, or ``package.module:function`` that returns the Dataset.

    Returns:
        rows, task, classes, shards, unreadable, digest, images_per_s (records a second of the whole call).
    """
    if not source or "\0" in source or "\0" in str(dest) or not dest.name:
        raise ConfigError(
            f"{quoted(source)}, {quoted(str(dest))}: name the records, and a new directory for the shards."
        )
    started = time.perf_counter()
    path, dest = Path(expanded(source)), Path(expanded(str(dest)))
    refuse_existing(dest)
    progress.note(f"looking at {shown(source)}")
    if (wanted.kind or wanted.task) == TASK:
        return _summary(ingest_masks(str(path), dest, wanted, options or Options(), progress), started)
    if path.is_dir():
        return _summary(ingest_images(path, dest, wanted, options or Options(), progress), started)
    if path.exists() or ":" not in source:
        records, whole = gather(path, wanted), shown(path.name)
    else:
        records, whole = gather_dataset(made_by(source), wanted), "the Dataset"
    if records.read.get("cut"):
        progress.note(f"{records.read['cut']} texts are cut to the {records.read['context']} tokens of the parent")
    for note in records.notes:
        progress.note(note)
    for name, column in records.columns.items():
        progress.note(f"{shown(name, 60)}: {column.type} {_shape(column)}, {_origin(records.read.get(name), whole)}")
    return _summary(write_records(records, dest, wanted.seed, wanted.shard_size), started)


def _summary(manifest: RecordManifest, started: float) -> dict[str, Any]:
    return {**summary(manifest, started), "task": manifest.task}


def _shape(column: Column) -> str:
    return "lists" if column.shape is None else str(list(column.shape))


def _origin(columns: Any, whole: str) -> str:
    """whole: what a column is of where it is of no column that the source has."""
    return f"of {shown(', '.join(columns), 200) if columns else whole}"

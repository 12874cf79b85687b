"""Images with targets of numbers: a folder, and a table that names each image and its target columns.

They are decoded as images by class are, by the same workers into the same bytes; targets are put beside them after.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evoray.data.manifest import Manifest
from evoray.data.reader import ArrowDataset
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column, Values
from evoray.data.transform import ImageTransform
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_source
from evoray.ingest.labels.columns import FILES, plain, position
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.options import Options, chosen, mapper_of
from evoray.ingest.records.gather import target_of
from evoray.ingest.records.tables import read_table
from evoray.ingest.records.vectors import columns_named
from evoray.ingest.records.writing import Gathered, Wanted, publish, some_values
from evoray.ingest.shard_file import refuse_existing
from evoray.ingest.sources.base import Source
from evoray.ingest.sources.flat import images_of
from evoray.ingest.sources.folder import FolderSource
from evoray.runtime.progress import Progress
from evoray.runtime.reading import shown

OF_IMAGES = ("regression", "multi-label")
"""Tasks whose targets may stand beside images."""


@dataclass(frozen=True)
class Targets:
    """Of every listed image, by its name: values [n, k], or words, and their type; columns: the table's."""

    row: dict[str, int]
    values: Values
    column: Column
    columns: list[str]
    files: str


def ingest_images(folder: Path, dest: Path, wanted: Wanted, options: Options, progress: Progress) -> RecordManifest:
    """Shards of image and target.

    Raises:
        ConfigError, DataError: no list, a column that is not there, a bad cell, an image that is not listed once.
    """
    if (wanted.kind or wanted.task) not in OF_IMAGES:
        raise ConfigError(f"--task {shown(wanted.task)}: its records are no images. There are {', '.join(OF_IMAGES)}.")
    if options.labels is None or not wanted.targets or wanted.inputs:
        raise ConfigError(
            "images with targets: give --labels with a table, --target for each of its columns that is one, and no "
            "--input, which is the image."
        )
    refuse_existing(dest)
    transform, why = chosen(options)
    progress.note(why or f"looking at {shown(folder)}")
    files, notes = images_of(folder, options.follow_links)
    found = targets_of(options.labels, files, wanted, options.file_column)
    for line in (f"images by {shown(found.files)}, targets: {shown(', '.join(found.columns), 200)}", *notes):
        progress.note(line)
    source = FolderSource(folder, ("image",), sorted(found.row), [0] * len(found.row), (), options.follow_links)
    with decoded(source, dest, transform, options, progress) as (manifest, images):
        return _beside(manifest, images, found, dest, wanted)


@contextmanager
def decoded(
    source: Source, dest: Path, transform: ImageTransform, options: Options, progress: Progress, in_one: bool = False
) -> Iterator[tuple[Manifest, ArrowDataset]]:
    """A source's images as shards beside ``dest``, which are gone afterwards."""
    folder = dest.with_name(f".{dest.name}.images")
    shutil.rmtree(folder, ignore_errors=True)  # of a call that was stopped in its last step
    try:
        manifest = ingest_source(
            source,
            folder,
            transform,
            seed=options.seed,
            shard_size=options.shard_size,
            restart=options.restart,
            mapper=mapper_of(options, in_one),
            on_progress=progress.counter("ingest", "images"),
        )
        yield manifest, ArrowDataset(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def targets_of(listing: Path, files: Sequence[str], wanted: Wanted, file_column: str | None) -> Targets:
    """What a table says of a folder's images; a listed image that is not there is left out.

    Raises:
        DataError: no column of files, an image that is listed twice or not at all, or a bad cell.
    """
    table, origin = read_table(listing), shown(listing)
    file = _file_column(table.column_names, file_column, origin)
    names, row = FileNames(files), {}
    for number, cell in enumerate(table.column(file).to_pylist()):
        at = names.resolve(str(cell))[0] if cell is not None else []
        if len(at) > 1 or any(files[one] in row for one in at):
            raise DataError(
                f"{origin}, record {number} (the first is 0): {shown(cell, 60)} names two images, or one that is "
                "listed before. Write each image's path, once."
            )
        row.update({files[one]: number for one in at})
    if lacking := [name for name in files if name not in row]:
        raise DataError(
            f"{origin}: {len(lacking)} of {len(files)} images are not listed; the first: {shown(lacking[0])}. Add "
            "them, or name the column of the files with --file-column."
        )
    columns = columns_named(table, wanted.targets, "--target", origin)
    return Targets(row, *target_of(table, columns, wanted, origin), columns, file)


def _file_column(names: list[str], asked: str | None, origin: str) -> str:
    if asked is not None:
        return names[position(names, asked, "--file-column", origin)]
    usual = [name for name in names if plain(name) in FILES]
    if len(usual) != 1:
        what = f"{len(usual)} columns may name the images" if usual else "no column is called as those of files are"
        raise DataError(f"{origin}: {what}. Say which with --file-column.")
    return usual[0]


def _beside(manifest: Manifest, decoded: ArrowDataset, found: Targets, dest: Path, wanted: Wanted) -> RecordManifest:
    """The decoded shards with their targets."""
    columns = {"image": Column(type="uint8", shape=decoded.image_shape), "target": found.column}
    read = {
        "image": [found.files],
        "target": found.columns,
        "transform": manifest.transform.model_dump(mode="json"),
        "decoder": manifest.decoder,
    }

    def shards() -> Iterator[tuple[Gathered, np.ndarray]]:
        for index, rows in enumerate(decoded.shard_rows):
            shard = decoded.load(index)
            target = some_values(found.values, np.array([found.row[name] for name in shard.sources]))
            values = {"image": shard.images, "target": target}
            yield Gathered(wanted.task, columns, values, "target", shard.sources, read=read), np.arange(rows)

    return publish(shards(), dest, wanted.seed, manifest.unreadable)

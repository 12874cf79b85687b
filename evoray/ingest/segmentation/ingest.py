"""``evoray data ingest --task segmentation``: shards of images and masks.

Masks are read first, for they say what is wrong soonest; then the images are decoded as images by class are, by the
same workers into the same bytes.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evoray.data.manifest import Manifest
from evoray.data.reader import ArrowDataset
from evoray.data.record_manifest import RecordManifest
from evoray.data.records import Column
from evoray.data.transform import ImageTransform, shorter_side, start_of
from evoray.errors import ConfigError, DataError, PictureError
from evoray.ingest.options import Options, chosen, made_by
from evoray.ingest.records.images import decoded
from evoray.ingest.records.tables import read_table
from evoray.ingest.records.writing import Gathered, Wanted, publish
from evoray.ingest.segmentation.labels import labels_of
from evoray.ingest.segmentation.palette import HOW, UNLABELLED, Palette, read_palette
from evoray.ingest.segmentation.sources import DatasetPairs, FolderPairs, Pairs, TablePairs
from evoray.ingest.shard_file import refuse_existing
from evoray.runtime.progress import Progress
from evoray.runtime.reading import said, shown

TASK = "segmentation"
MOST = 1024
"""Classes; more are ids of single objects."""
_AHEAD = 64
"""Masks that are read at a time."""


@dataclass(frozen=True)
class Read:
    """Masks of some records, uint16 [n, H, W], and their classes.

    row: of each image's name. left_out: the label that is none, besides UNLABELLED.
    """

    row: dict[str, int]
    masks: np.ndarray
    left_out: int
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def narrow(self) -> bool:
        """Whether 8 bits have room for the classes and for pixels without one."""
        return len(self.classes) <= 255

    def has_labels(self, names: Sequence[str]) -> np.ndarray:
        """bool [n]: whether a pixel of the image, as it is cut, has one."""
        masks = (self.masks[self.row[name]] for name in names)
        return np.array([bool(((one != self.left_out) & (one != UNLABELLED)).any()) for one in masks])

    def of(self, names: Sequence[str]) -> np.ndarray:
        """As they are stored: a pixel without a label is the type's largest value."""
        found = np.array(self.masks[[self.row[name] for name in names]])
        found[found == self.left_out] = UNLABELLED
        return np.minimum(found, 255).astype(np.uint8) if self.narrow else found


def ingest_masks(source: str, dest: Path, wanted: Wanted, options: Options, progress: Progress) -> RecordManifest:
    """Shards of image and mask, from a folder with ``--masks`` or a known layout, Parquet, or a torch Dataset.

    Raises:
        ConfigError, DataError: an image without a mask, sizes that differ, masks whose labels are open; names them.
    """
    refuse_existing(dest)
    _refuse_unused(options)
    palette = None if options.palette is None else read_palette(options.palette)
    transform, why = chosen(options)
    if why is not None:
        progress.note(why)
    pairs = pairs_of(source, wanted, options)
    for line in pairs.notes:
        progress.note(line)
    scratch = dest.with_name(f".{dest.name}.masks")
    try:
        read = read_masks(pairs, transform, palette or pairs.palette, scratch, progress, options.workers)
        for line in (*read.notes, *_without_labels(read)):
            progress.note(line)
        with decoded(pairs, dest, transform, options, progress, pairs.in_one) as (manifest, images):
            return _beside(manifest, images, read, dest, wanted)
    except OSError as error:
        raise DataError(f"{shown(dest)}: cannot be written ({said(error)}).") from None
    finally:
        scratch.unlink(missing_ok=True)


def pairs_of(source: str, wanted: Wanted, options: Options) -> Pairs:
    """What a source is. Raises as ``ingest_masks``."""
    path = Path(source)
    masks = None if options.masks is None else Path(options.masks)
    if path.is_dir():
        if wanted.inputs or wanted.targets:
            raise ConfigError("--input and --target name columns of Parquet; a folder's masks are named by --masks.")
        return FolderPairs.of(path, masks, options.split, options.follow_links, options.listed_only)
    if masks is not None:
        raise ConfigError(f"--masks: {shown(source)} is no folder of images, and brings its own masks.")
    if path.exists() or ":" not in source:
        if len(wanted.inputs) > 1 or len(wanted.targets) > 1:
            raise ConfigError("--input is the column of the images, --target that of the masks: one each.")
        image, mask = (next(iter(named), None) for named in (wanted.inputs, wanted.targets))
        return TablePairs.of(read_table(path), image, mask, shown(source))
    return DatasetPairs.of(made_by(source))


def read_masks(
    pairs: Pairs,
    transform: ImageTransform,
    palette: Palette | None,
    scratch: Path,
    progress: Progress,
    workers: int | None = None,
) -> Read:
    """Every mask, cut as its image will be. scratch: a file that holds them meanwhile.

    Raises:
        DataError: a mask of another size than its image's, or one whose labels are open; names it.
    """
    advance, count = progress.counter("masks", "images"), len(pairs.names)
    present = np.zeros(UNLABELLED + 1, dtype=bool)
    rows: dict[str, int] = {}
    masks: np.ndarray | None = None
    for record, whole, cut in _each(pairs, transform, palette, 1 if pairs.in_one else workers):
        advance(1, count)
        if whole is None:
            continue  # the image is not read either, and is listed
        present[np.unique(whole)] = True
        name = pairs.names[record]
        if masks is None:
            scratch.parent.mkdir(parents=True, exist_ok=True)
            masks = np.memmap(scratch, np.uint16, "w+", shape=(count, *cut.shape))
        if cut.shape != masks.shape[1:]:
            raise DataError(
                f"{shown(name)}: {list(cut.shape)} where the first is {list(masks.shape[1:])}. Images that are stored "
                "as they are must be of one size: give --resize and --crop, in place of --for."
            )
        rows[name] = len(rows)
        masks[rows[name]] = cut
    if masks is None:
        raise DataError(f"none of {count} images could be read; the first: {shown(pairs.names[0])}.")
    classes, left_out, notes = _classes(present, palette, pairs.called)
    return Read(rows, masks, left_out, classes, notes)


def _each(
    pairs: Pairs, transform: ImageTransform, palette: Palette | None, workers: int | None
) -> Iterator[tuple[int, np.ndarray | None, np.ndarray]]:
    """(record, labels as they are, labels as they are cut) of all; None for an image that cannot be read."""

    def read(record: int) -> tuple[int, np.ndarray | None, np.ndarray]:
        where = shown(pairs.names[record])
        try:
            size, mask = pairs.pair(record)
        except PictureError as error:
            raise DataError(f"{where}: its mask cannot be read: {error}") from None
        if size is None:
            return record, None, np.zeros((0, 0), np.uint16)
        labels = labels_of(mask, palette, where)
        if labels.shape != (size[1], size[0]):
            own, other = (f"{width} x {height}" for width, height in (labels.shape[::-1], size))
            raise DataError(
                f"{where}: its mask is {own} pixels and the image {other}. They must be of one size: resize the mask "
                "by its nearest pixels, or take the mask that was made for this image."
            )
        return record, labels, like_image(labels, transform)

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for start in range(0, len(pairs.names), _AHEAD):
            yield from pool.map(read, range(start, min(start + _AHEAD, len(pairs.names))))


def _classes(
    present: np.ndarray, palette: Palette | None, called: Sequence[str]
) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """The classes, the label that is none (besides UNLABELLED), and what is to be said.

    Raises:
        DataError: nothing is labelled, labels are ids of objects, or 255 may be a class as well as none.
    """
    values = np.flatnonzero(present[:UNLABELLED])
    if palette is not None:
        lacking = [name for number, name in enumerate(palette.classes) if not present[number]]
        notes = (f"no mask has {', '.join(shown(name, 40) for name in lacking[:6])}",) if lacking else ()
        if not len(values):
            raise DataError("the palette leaves every pixel of every mask out: there is nothing to find.")
        return palette.classes, UNLABELLED, notes
    narrow = not len(values) or values[-1] <= 255
    left_out = 255 if narrow else UNLABELLED
    known = values[values != left_out]
    if not len(known):
        raise DataError("no mask has a label below 255, which means that a pixel has none: there is nothing to find.")
    both = present[left_out] or present[UNLABELLED]
    if len(known) == 1 and both:
        other = left_out if present[left_out] else UNLABELLED
        raise DataError(
            f"the masks hold {known[0]} and {other} alone, and {other} mostly means that a pixel has no label. Is it a "
            f"class? {HOW}."
        )
    if known[-1] >= MOST:
        raise DataError(
            f"the masks have labels up to {known[-1]}, {len(known)} different ones: are they ids of single objects? "
            f"There may be {MOST} classes. {HOW}."
        )
    return _named(known, called, left_out, bool(both))


def _named(
    known: np.ndarray, called: Sequence[str], left_out: int, both: bool
) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    count = int(known[-1]) + 1
    classes = tuple(called) if count <= len(called) else tuple(str(number) for number in range(count))
    some = "" if len(known) == count else f", of which the masks have {len(known)}"
    note = f"labels 0 to {count - 1}{some}" + (f"; pixels of {left_out} are left out" if both else "")
    return classes, left_out, (note,)


def _beside(manifest: Manifest, decoded: ArrowDataset, read: Read, dest: Path, wanted: Wanted) -> RecordManifest:
    """The decoded shards with their masks."""
    size = decoded.image_shape[1:]
    if read.masks.shape[1:] != size:
        raise DataError(f"masks of {list(read.masks.shape[1:])} and images of {list(size)} pixels: give --crop.")
    mask = Column(type="uint8" if read.narrow else "uint16", shape=size)
    columns = {"image": Column(type="uint8", shape=decoded.image_shape), "mask": mask}
    how = {"transform": manifest.transform.model_dump(mode="json"), "decoder": manifest.decoder}

    def shards() -> Iterator[tuple[Gathered, np.ndarray]]:
        for index in range(len(decoded.shard_rows)):
            shard = decoded.load(index)
            values = {"image": shard.images, "mask": read.of(shard.sources)}
            if len(kept := np.flatnonzero(read.has_labels(shard.sources))):
                yield Gathered(wanted.task, columns, values, "mask", shard.sources, read.classes, how), kept

    return publish(shards(), dest, wanted.seed, manifest.unreadable)


def _without_labels(read: Read) -> tuple[str, ...]:
    """What is said of images of which nothing is known: their figures would be those of a network that is right.

    Raises:
        DataError: there are no others.
    """
    names = list(read.row)
    blank = [name for name, has in zip(names, read.has_labels(names), strict=True) if not has]
    if len(blank) == len(names):
        raise DataError(f"no pixel of {len(names)} masks has a label, as they are cut. Give another --crop.")
    if not blank:
        return ()
    first = shown(blank[0])
    return (f"{len(blank)} of {len(names)} images have no pixel with a label and are left out, the first {first}",)


def _refuse_unused(options: Options) -> None:
    if given := options.given("labels", "label_column", "file_column", "only", "as_classes", "per_class"):
        raise ConfigError(f"{', '.join(given)}: masks are the labels of segmentation. Leave {given[0]} out.")


def like_image(labels: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """[H, W] of labels [h, w], as ``transform`` cuts a picture of that size; what lies outside of it has no label."""
    height, width = labels.shape
    if transform.resize is not None:
        width, height = shorter_side(width, height, transform.resize)
        labels = labels[_nearest(labels.shape[0], height)][:, _nearest(labels.shape[1], width)]
    return labels if transform.crop is None else _centre(labels, transform.crop)


def _nearest(before: int, after: int) -> np.ndarray:
    """int64 [after]: the pixel under the middle of each, as Pillow's NEAREST and torchvision's nearest-exact take it.

    In whole numbers: floor((i + 1/2) * before / after).
    """
    return (2 * np.arange(after) + 1) * before // (2 * after)


def _centre(labels: np.ndarray, crop: int) -> np.ndarray:
    found = np.full((crop, crop), UNLABELLED, labels.dtype)
    places = []
    for length in labels.shape:
        start = start_of(length, crop)
        into = max(0, -start)
        count = min(length - max(0, start), crop - into)
        places.append((slice(into, into + count), slice(max(0, start), max(0, start) + count)))
    (rows, from_rows), (columns, from_columns) = places
    found[rows, columns] = labels[from_rows, from_columns]
    return found

"""Where images and masks lie: two folders that are named, or a layout whose names say it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evoray.errors import ConfigError, DataError
from evoray.ingest.labels.columns import listed, plain
from evoray.ingest.masks import ANNOTATIONS, PICTURES
from evoray.ingest.segmentation.pairing import LABEL_IDS, TRAIN_IDS
from evoray.ingest.segmentation.palette import UNLABELLED, Palette
from evoray.ingest.sources.base import check_folder
from evoray.runtime.reading import read_file, shown

ALL = "all"
VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
CITYSCAPES = {
    **{7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole", 19: "traffic light"},
    **{20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car"},
    **{27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle"},
}
"""The 19 classes that are scored, by their labelIds; all other ids are left out, as the benchmark has it."""
ADE_CLASSES = 150
_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing", "trainval"))
_ADE = ("ADE_train_", "ADE_val_")
_LEFT, _FINE = "leftImg8bit", "gtFine"


@dataclass(frozen=True)
class Layout:
    """images, masks: folders. split: the folder in both that is meant; listed: names of files without suffix that are.

    classes: their names, where they are known. palette: how labels are read, unless the user says.
    """

    images: Path
    masks: Path
    split: str | None = None
    listed: frozenset[str] | None = None
    classes: tuple[str, ...] = ()
    palette: Palette | None = None
    notes: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a file is of the split."""
        stem = name.rpartition("/")[2].rpartition(".")[0]
        inside = self.split is None or name.startswith(f"{self.split}/")
        return inside and (self.listed is None or stem in self.listed)


def layout_of(root: Path, masks: Path | None, split: str | None) -> Layout:
    """Two folders, or what a folder of both is.

    Raises:
        ConfigError: no folder of masks is named, and none is known. DataError: no such folder, or several splits and
            nobody said which.
    """
    for folder in (root, *((masks,) if masks else ())):
        check_folder(folder)
    if masks is not None:
        return _of_splits(Layout(root, masks), split)
    if (root / "JPEGImages").is_dir() and (root / "SegmentationClass").is_dir():
        return _voc(root, split)
    if (root / _LEFT).is_dir() and (root / _FINE).is_dir():
        return _of_splits(Layout(root / _LEFT, root / _FINE, notes=("Cityscapes: gtFine of leftImg8bit",)), split)
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    pictures = [name for name in folders if plain(name) in PICTURES]
    said = [name for name in folders if plain(name) in ANNOTATIONS]
    if len(pictures) != 1 or len(said) != 1:
        raise ConfigError(
            f"{shown(root)}: which folder holds the masks? Name it with --masks, and the images' folder as SOURCE; it "
            f"holds {listed(folders, 6) or 'no folders'}."
        )
    found = Layout(root / pictures[0], root / said[0], notes=(f"masks: {said[0]}, images: {pictures[0]}",))
    return _of_splits(found, split)


def by_names(layout: Layout, masks: Sequence[str]) -> Layout:
    """With what the names of masks say of their labels."""
    ends = {name.rpartition(".")[0] for name in masks}
    if any(one.endswith(LABEL_IDS) for one in ends):
        note = "labelIds of Cityscapes as its 19 classes that are scored; all others are left out"
        return replace(layout, palette=_cityscapes(), notes=(*layout.notes, note))
    if any(one.endswith(TRAIN_IDS) for one in ends):
        return replace(layout, classes=tuple(CITYSCAPES.values()))
    if masks and all(name.rpartition("/")[2].startswith(_ADE) for name in masks):
        note = "ADE20K: label 0 is left out, and labels 1 to 150 are classes 0 to 149, as networks of it have them"
        return replace(layout, palette=_ade(), notes=(*layout.notes, note))
    return layout


def _voc(root: Path, split: str | None) -> Layout:
    folder = root / "ImageSets" / "Segmentation"
    lists = sorted(path.stem for path in folder.glob("*.txt")) if folder.is_dir() else []
    masks = root / "SegmentationClass"
    found = Layout(root / "JPEGImages", masks, classes=VOC_CLASSES, notes=("Pascal VOC: SegmentationClass",))
    if split is None and lists:
        raise DataError(f"{shown(root)}: {listed(lists, 6)} in ImageSets/Segmentation. Say which with --split, or all.")
    if split in (None, ALL):
        return replace(found, listed=frozenset(Path(name).stem for name in os.listdir(masks)))
    if split not in lists:
        raise DataError(f"{shown(folder)}: no {shown(split, 60)}.txt in it. There are {listed(lists, 6) or 'none'}.")
    names = read_file(folder / f"{split}.txt", 2**24).decode("utf-8", "replace").split()
    return replace(found, listed=frozenset(names))


def _of_splits(layout: Layout, split: str | None) -> Layout:
    """One of ``train`` and ``val`` where images and masks lie in such folders."""
    own, other = (
        {entry.name for entry in os.scandir(path) if entry.is_dir()} for path in (layout.images, layout.masks)
    )
    splits = sorted(name for name in own & other if plain(name) in _SPLITS)
    if split is None and len(splits) > 1:
        raise DataError(
            f"{shown(layout.images)}: {listed(splits, 4)} in it. Say which with --split, or all for all of them."
        )
    if split in (None, ALL):
        return layout
    if split not in splits:
        raise DataError(
            f"{shown(layout.images)}: --split {shown(split, 60)} is no folder of both images and masks. There are "
            f"{listed(splits, 6) or 'none'}."
        )
    return replace(layout, split=split)


def _cityscapes() -> Palette:
    labels = dict.fromkeys(range(256), UNLABELLED)
    labels |= {number: place for place, number in enumerate(CITYSCAPES)}
    return Palette(tuple(CITYSCAPES.values()), labels, False)


def _ade() -> Palette:
    names = tuple(str(number) for number in range(1, ADE_CLASSES + 1))
    labels = {0: UNLABELLED, 255: UNLABELLED} | {number: number - 1 for number in range(1, ADE_CLASSES + 1)}
    return Palette(names, labels, False)

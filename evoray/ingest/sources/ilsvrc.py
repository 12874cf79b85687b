"""ILSVRC2012's own tars: the training images (a tar a synset, in a tar), and the validation images with the devkit."""

from pathlib import Path

import numpy as np

from evoray.errors import DataError
from evoray.ingest.sources.base import SlicedSource
from evoray.ingest.sources.devkit import find_devkit, read_devkit
from evoray.ingest.sources.tars import TarEntry, inner_members, members

TRAIN, VALIDATION = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"


def find_tar(path: Path) -> Path | None:
    """The tar that a path names or holds; None when it is no such thing; DataError when it holds both."""
    if path.name in (TRAIN, VALIDATION) and path.is_file():
        return path
    here = [path / name for name in (TRAIN, VALIDATION) if (path / name).is_file()]
    if len(here) == 2:
        raise DataError(f"{path}: holds {TRAIN} and {VALIDATION}. Name the one to ingest.")
    return here[0] if here else None


def open_tar(path: Path, devkit: Path | None) -> SlicedSource:
    """Classes are the sorted synsets, so that labels are torchvision's indices; names are ImageFolder's."""
    first = next(members(path), None)
    if first is None:
        raise DataError(f"{path}: an empty tar.")
    return _training(path) if first.name.endswith(".tar") else _validation(path, devkit)


def _training(path: Path) -> SlicedSource:
    inner = {member.name.removesuffix(".tar"): member for member in members(path)}
    classes = tuple(sorted(inner))
    found, labels = [], []
    for label, synset in enumerate(classes):
        own = sorted(inner_members(path, inner[synset]), key=lambda member: member.name)
        found += [TarEntry(f"{synset}/{member.name}", member.offset, member.size) for member in own]
        labels += [label] * len(own)
    return sliced(path, found, classes, labels)


def _validation(path: Path, given: Path | None) -> SlicedSource:
    found = sorted(members(path), key=lambda member: member.name)
    where = find_devkit(path, given)
    kit = read_devkit(where)
    if len(kit.validation) != len(found):
        raise DataError(f"{where}: labels for {len(kit.validation)} images, and {path} holds {len(found)}.")
    classes = tuple(sorted(kit.synsets.values()))
    index = {synset: label for label, synset in enumerate(classes)}
    unknown = [number for number in kit.validation if number not in kit.synsets]
    if unknown:
        raise DataError(f"{where}: the ground truth has the id {unknown[0]}, which meta.mat does not.")
    return sliced(path, found, classes, [index[kit.synsets[number]] for number in kit.validation])


def sliced(path: Path, found: list[TarEntry], classes: tuple[str, ...], labels: list[int]) -> SlicedSource:
    """A source of one file's members."""
    return SlicedSource(
        files=(str(path.absolute()),),
        which=np.zeros(len(found), np.int32),
        offsets=np.array([member.offset for member in found], np.int64),
        sizes=np.array([member.size for member in found], np.int64),
        classes=classes,
        names=[member.name for member in found],
        labels=labels,
        notes=(f"{path.name}, ILSVRC2012's own",),
    )

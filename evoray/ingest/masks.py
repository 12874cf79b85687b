"""Pictures that are said of other pictures, such as masks: in a tree of classes they would count as images of one."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed, plain
from evoray.runtime.reading import shown

PICTURES = frozenset(("images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "original", "originals"))
_ANNOTATED = """
    masks mask labels label annotations annotation segmentations segmentation segmentationclass segmentationobject
    groundtruth gt bboxes boxes xml xmls imagesets depth
"""
ANNOTATIONS = frozenset(_ANNOTATED.split())
"""Names of folders that hold what is said of the pictures in a folder beside them, or of those around them."""
_MASK = re.compile(
    r"(.+?)[ _.-]+(?:masks?|segmentation|seg|groundtruth|gt|annotation|superpixels)(?:[ _-]?\d{1,2})?", re.I
)
_WORDS = ("mask", "seg", "gt", "groundtruth", "annotation", "superpixels")
"""One of which such a name holds; all names are looked at as one text first, for there may be millions."""
SHARE = 0.1
"""Of a folder's images: fewer masks are a coincidence of names."""
ALL = "--split none where they are images of the classes too"


def annotated_folders(names: Sequence[str]) -> tuple[str, ...]:
    """Folders in class folders that are pictures and their annotations: ``COVID/images`` beside ``COVID/masks``.

    names: paths of images from the root. Folders of pictures come first.
    """
    children: dict[str, set[str]] = defaultdict(set)
    for path in {name.rpartition("/")[0] for name in names}:
        parent, _, last = path.rpartition("/")
        if parent:
            children[parent].add(last)
    found: set[str] = set()
    for inside in children.values():
        kinds = {plain(name) for name in inside}
        if kinds & ANNOTATIONS and kinds & PICTURES and kinds <= ANNOTATIONS | PICTURES:
            found |= inside
    return tuple(sorted(found, key=lambda name: (plain(name) not in PICTURES, name)))


def refuse_masks(root: Path, names: Sequence[str]) -> None:
    """Masks among the images of a folder, or in a folder below them.

    Raises:
        DataError: ``cat/1.png`` beside ``cat/1_mask.png``, or beside ``cat/masks/1.png``.
    """
    around = {name.rpartition("/")[0] for name in names}
    below = {
        path for path in around if plain(path.rpartition("/")[2]) in ANNOTATIONS and path.rpartition("/")[0] in around
    }
    text = "\n".join(names).lower()
    words = [word for word in _WORDS if word in text]
    said = [name for name in names if any(word in name.lower() for word in words)] if words else []
    called = {name: of.group(1) for name in said if (of := _MASK.fullmatch(name.rpartition(".")[0])) is not None}
    held = {name.rpartition(".")[0] for name in names} if called else set()
    masks: dict[str, list[str]] = defaultdict(list)
    for name in names if called or below else ():
        folder = name.rpartition("/")[0]
        if folder in below or called.get(name) in held:
            masks[folder].append(name)
    images = Counter(name.rpartition("/")[0] for name in names) if masks else Counter()
    for folder, found in masks.items():
        if len(found) > 1 and len(found) >= SHARE * images[folder]:
            total = sum(map(len, masks.values()))
            raise DataError(
                f"{shown(root)}: {listed(found, 2)} seem to be masks of the images beside them, {total} in all, and "
                f"would count as images of their classes. Move them out of the tree; {ALL}."
            )

"""Which column holds what: as the user says, else by the names that such columns usually have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evoray.errors import DataError
from evoray.runtime.reading import shown

_FILES = """
    file files filename filenames filepath filepaths fname path paths relpath relativepath image images imagename
    imagenames imagefile imagefilename imagepath imageid imageids imageindex img imgs imgname imgfile imgpath imgid
    id ids idcode key name names photo photoid picture uuid isicid
"""
FILES = frozenset(_FILES.split())
"""Names of columns that hold file names, as ``plain`` writes them."""
_LABELS = """
    label labels labelid labelname labelindex labeltext class classes classid classname classindex classlabel
    category categories categoryid categoryname cls target targets y gt groundtruth diagnosis dx breed species synset
    synsetid wnid level tag tags findinglabels finelabel coarselabel predictionstring annotation annotations
"""
LABELS = frozenset(_LABELS.split())
"""Names of columns that hold labels."""
INDEX = re.compile(r"|index|unnamed\d*|level0")
"""What pandas calls the column of row numbers."""


@dataclass(frozen=True)
class Asked:
    """What the user says of a source: its columns by name or number from 1, and whether links may leave the tree.

    split: which of several splits of a tree or tar counts. only: which lines of a list count, ``split=train,val``.
    as_classes: whatever stands there as a label is a class. listed_only: images that the list does not name are left.
    """

    file_column: str | None = None
    label_column: str | None = None
    follow_links: bool = False
    split: str | None = None
    only: str | None = None
    as_classes: bool = False
    listed_only: bool = False

    @property
    def columns(self) -> bool:
        return self.file_column is not None or self.label_column is not None or self.only is not None


def plain(name: str) -> str:
    """A column's name without case, blanks and signs: ``Image_ID`` and ``image id`` are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


def position(names: Sequence[str], asked: str, option: str, origin: str) -> int:
    """The column that is called so, or has this number.

    Raises:
        DataError: no such column, or two of that name.
    """
    for same in (str, str.strip, plain):
        found = [at for at, name in enumerate(names) if same(name) == same(asked)]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise DataError(f"{origin}: {len(found)} columns are called {shown(asked)}. Give {option} its number.")
    if asked.isdecimal() and len(asked) < 7 and 1 <= int(asked) <= len(names):
        return int(asked) - 1
    raise DataError(f"{origin}: no column {shown(asked)}. {option} is one of {listed(names)}, or a number from 1.")


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a message: a line of them at the most."""
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(shown(name, 60) or "(no name)" for name in names[:most]) + more

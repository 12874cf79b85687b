"""The columns of a record, as a task asks for them and a manifest records them; and what records are called."""

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

DEFAULT_TASK = "image-classification"
"""Of records that nobody says anything of; also the configuration's default."""


class Schema(BaseModel):
    """What a record of a task holds.

    columns: name to Arrow type as Arrow writes it (``int64``, ``fixed_size_binary``); a type whose width depends on the
    data is named without it. target: the column that the outputs are compared with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    columns: dict[str, str]
    target: str

    def lacking(self, found: Mapping[str, str]) -> list[str]:
        """Columns that are not among those found, or are of another type; types with a width match any width."""
        return [f"{name} ({kind})" for name, kind in self.columns.items() if found.get(name, "").split("[")[0] != kind]


IMAGES, RECORDS = "images", "records"
_IMAGE = re.compile(r"\b(an |An )?(images?|Images?)\b")


def counted(sentence: str, what: str) -> str:
    """A sentence of EvoRay's own about images, as one about ``what``; names of a user's are put in afterwards."""
    return sentence if what == IMAGES else _IMAGE.sub(_record, sentence)


def _record(found: re.Match[str]) -> str:
    article, word = found.groups()
    record = ("R" if word[0] == "I" else "r") + "ecord" + "s" * word.endswith("s")
    return f"{article[0]} {record}" if article else record

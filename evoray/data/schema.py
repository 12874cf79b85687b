"""The columns of a record, as a task asks for them and a manifest records them."""

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

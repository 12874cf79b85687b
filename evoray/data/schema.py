"""The columns of a record, as a task asks for them and a manifest records them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Schema(BaseModel):
    """What a record of a task holds.

    columns: name to Arrow type as Arrow writes it (``int64``, ``fixed_size_binary``); a type whose width depends on the
    data is named without it. target: the column that the outputs are compared with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    columns: dict[str, str]
    target: str

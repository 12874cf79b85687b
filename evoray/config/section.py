"""A table of a configuration file: what all of them have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from evoray.runtime.auto import Auto as Auto


class Section(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

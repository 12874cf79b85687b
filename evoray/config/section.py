"""A table of a configuration file: what all of them have in common."""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from evoray.runtime.auto import Auto as Auto
from evoray.runtime.limits import MEMBERS, TEXT

Members = Annotated[int, Field(ge=1, le=MEMBERS)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=TEXT)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """To Python true is 1."""
        if isinstance(value, bool) and not _takes_switch(cls.model_fields[str(info.field_name)].annotation):
            raise PydanticCustomError("switch", "a switch, where another value is expected")
        return value


def _takes_switch(kind: Any) -> bool:
    return kind in (bool, Any) or any(_takes_switch(one) for one in get_args(kind))

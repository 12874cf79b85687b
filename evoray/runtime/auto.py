"""``"auto"``: a value that the run finds. Nobody but the configuration knows the word."""

from typing import Final, Literal, TypeVar

T = TypeVar("T")
Auto = Literal["auto"]
AUTO: Final = "auto"


def given(value: T | Auto) -> T | None:
    """The value that was given; None where it is to be found."""
    return None if value == AUTO else value

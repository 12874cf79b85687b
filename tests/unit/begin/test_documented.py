from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, create_model

from evoray.begin.documented import arguments_of, docs_of, plain, summary_of


class Base(BaseModel):
    """What all have.

    And more.
    """

    first: int = 1
    """Told ``once``,
    over two lines."""
    second: int = Field(2, description="By its field.")
    third: int = 3


class Derived(Base):
    third: int = 4
    """Told below."""
    first: int = 2


def test_a_field_means_what_stands_below_it_or_in_its_field():
    assert docs_of(Base) == {"first": "Told `once`, over two lines.", "second": "By its field."}


def test_a_field_that_is_set_again_keeps_what_was_said_of_it():
    assert docs_of(Derived) == {
        "first": "Told `once`, over two lines.",
        "second": "By its field.",
        "third": "Told below.",
    }


def test_a_model_without_source_is_described_by_its_fields():
    made = create_model("Made", one=(int, Field(1, description="Here.")), two=(int, 2))
    assert docs_of(made) == {"one": "Here."}


class Keyed:
    """A task.

    Args:
        one: the first,
            with more.
        two, three: both.

    Nothing: of this.
    """


def test_parameters_mean_what_the_class_says_of_them():
    assert arguments_of(Keyed) == {"one": "the first, with more.", "two": "both.", "three": "both."}
    assert arguments_of(Base) == {}


@pytest.mark.parametrize(("text", "shown"), [("a\n  b", "a b"), ("``x``", "`x`"), ("", "")])
def test_text_becomes_one_line(text, shown):
    assert plain(text) == shown


def test_a_summary_is_the_first_paragraph():
    assert summary_of(Base) == "What all have."
    assert summary_of(type("Bare", (), {})) == ""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from evoray.config.allowed import ITEMS, Keys, alternatives, as_toml, nearest

KINDS: dict[str, Any] = {
    "a text": str,
    "a text that is not empty": Annotated[str, Field(min_length=1)],
    "true or false": bool,
    "a whole number": int,
    "a whole number from 1 to 10,000": Annotated[int, Field(ge=1, le=10_000)],
    "a whole number from 1 to 9": Annotated[int, Field(gt=0, lt=10)],
    "a whole number of at least 2": Annotated[int, Field(ge=2)],
    "a whole number of at least 3": Annotated[int, Field(gt=2)],
    "a whole number at most 7": Annotated[int, Field(lt=8)],
    "a number": float,
    "a number above 0 and at most 1": Annotated[float, Field(gt=0, le=1)],
    "a number of at least 0.5 and below 1": Annotated[float, Field(ge=0.5, lt=1)],
    "a number from 0 to 65,536": Annotated[float, Field(ge=0, le=65536)],
    "a list of texts": tuple[str, ...],
    "a list of lists of numbers": tuple[tuple[float, ...], ...],
    "a list of whole numbers from 0 to 9 (at least 1)": Annotated[
        tuple[Annotated[int, Field(ge=0, lt=10)], ...], Field(min_length=1)
    ],
    '"a", "b" or "c"': Literal["a", "b", "c"],
    'a whole number, or "auto"': int | Literal["auto"],
    'a list of whole numbers, "x", "y", or "auto"': Literal["auto"] | list[int] | Literal["x", "y"] | None,
    "a table": dict[str, int],
}


@pytest.mark.parametrize("words", KINDS)
def test_what_a_key_takes_in_words(words):
    model = type("M", (BaseModel,), {"__annotations__": {"key": KINDS[words]}})
    keys = Keys(model)
    found = keys.words(keys.names(keys.root)["key"])
    assert sorted(found.replace(",", " ").split()) == sorted(words.replace(",", " ").split())


class Inner(BaseModel):
    x: int


class Outer(BaseModel):
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}


@pytest.mark.parametrize(
    "path", [("inner", "x"), ("several", 3, "x"), ("named", "any", "x")], ids=lambda path: ".".join(map(str, path))
)
def test_keys_below_tables_lists_and_names(path):
    keys = Keys(Outer)
    node = keys.root
    for part in path:
        node = keys.below(node, part)
    assert keys.words(node) == "a whole number"


def test_nothing_stands_below_a_number():
    keys = Keys(Inner)
    assert keys.below(keys.names(keys.root)["x"], "y") is None
    assert keys.below(keys.root, "y") is None


def test_a_section_of_types_that_no_file_holds_has_its_names():
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: object.__class__ = int
        call: Any = None
        place: type(test_nothing_stands_below_a_number) = None  # type: ignore[valid-type]

    keys = Keys(Odd)
    assert set(keys.names(keys.root)) == {"thing", "call", "place"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ("a", '"a"'),
        ('say "so"', '"say \\"so\\""'),
        ("größe", '"größe"'),
        ([True, "a", 1], '[true, "a", 1]'),
        (3.5, "3.5"),
        (float("inf"), "inf"),
        ([], "[]"),
        (date(2026, 1, 2), "datetime.date(2026, 1, 2)"),
        (list(range(ITEMS + 5)), f"[{', '.join(map(str, range(ITEMS)))}, … 5 more]"),
        (10**5000, "a very long int"),
    ],
    ids=str.__class__,
)
def test_a_value_as_a_file_writes_it(value, text):
    assert as_toml(value) == text


@pytest.mark.parametrize(
    ("word", "name"),
    [
        *(("sigm", "sigma"), ("SIGMA", "sigma"), ("batch-size", "batch_size"), ("batchsize", "batch_size")),
        *(("xyz", None), (3, None), ("s" * 200, None), ("", None)),
    ],
)
def test_the_nearest_name(word, name):
    assert nearest(word, ["sigma", "batch_size", "parts"]) == name


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (['"a"', '"b"'], '"a" or "b"'),
        (["x", '"b"'], 'x, or "b"'),
        (["[a]", "[b]"], "[a] or [b]"),
    ],
)
def test_alternatives(words, text):
    assert alternatives(words) == text

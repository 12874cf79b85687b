"""What stands beside the keys of a configuration's models: the text under each, and what a task's class says of its."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

_ARGUMENT = re.compile(r"^(\w[\w, ]*): (.*)$")


@lru_cache(maxsize=256)
def docs_of(model: type[BaseModel]) -> dict[str, str]:
    """Of each field that has any: the sentence under it in the class, else its ``Field(description=…)``."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if cls is not BaseModel and issubclass(cls, BaseModel):
            found |= dict(_below_fields(cls))
    described = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: plain(text) for name, text in {**described, **found}.items() if name in model.model_fields}


def arguments_of(cls: Any) -> dict[str, str]:
    """What a class's ``Args:`` say of the parameters that it is made with, as a task's keys are described."""
    text = inspect.getdoc(cls) or ""
    if "Args:\n" not in text:
        return {}
    lines = textwrap.dedent(text.partition("Args:\n")[2].partition("\n\n")[0]).splitlines()
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        if (begins := _ARGUMENT.match(line)) is not None:
            names = [name.strip() for name in begins[1].split(",")]
            found |= {name: [begins[2]] for name in names}
        else:
            for name in names:
                found[name].append(line.strip())
    return {name: plain(" ".join(words)) for name, words in found.items()}


def summary_of(cls: Any) -> str:
    """The first paragraph of a class's own text; empty where it has none."""
    return plain(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0])


def plain(text: str) -> str:
    """One line, with code as Markdown has it."""
    return " ".join(text.split()).replace("``", "`")


def _below_fields(cls: type[BaseModel]) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):  # made while the program runs, or without its source
        return
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield field.target.id, value.value

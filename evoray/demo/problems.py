"""Problems with known answers, of ``reasoning-gym``: drawn by a seed, none twice.

Zafir Stojanovski et al., *Reasoning Gym* (arXiv 2505.24760). Each kind below is one of its generators, made easy enough
for a network of 135 million weights to be right sometimes, and asked in the generator's own words.
"""

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from evoray.errors import ConfigError, DataError
from evoray.runtime.reading import shown

LIBRARY = "reasoning_gym"
MANY = 50
"""So many draws for each problem that is wanted: small kinds repeat themselves."""


@dataclass(frozen=True)
class Kind:
    """module: ``room.generator`` of the library, with its options."""

    module: str
    options: Mapping[str, Any]


_TWO_NUMBERS = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2}
KINDS: Mapping[str, Kind] = {
    "products": Kind("arithmetic.products", _TWO_NUMBERS),
    "sums": Kind("arithmetic.chain_sum", _TWO_NUMBERS),
}
"""Of two numbers of one or two digits; the parent is right on about a fifth of products and 30% of sums."""
TOKENS = 16
"""Of an answer: room for a sentence around four digits, each of which is a token, and not for a calculation."""


def problems(kind: str, seed: int, count: int) -> list[dict[str, Any]]:
    """``count`` different problems, the same for one seed: prompt, answer, kind, seed, number.

    Raises:
        ConfigError: no such kind. DataError: the kind has not so many different problems.
    """
    if kind not in KINDS:
        raise ConfigError(f"problems of {shown(kind)}: there are {', '.join(KINDS)}.")
    spec, found = KINDS[kind], dict[str, dict[str, Any]]()
    for number, one in enumerate(_drawn(spec, seed, MANY * count)):
        question = one["question"]
        if len(found) < count and question not in found:
            about = {"answer": one["answer"], "kind": kind, "seed": seed, "number": number}
            found[question] = {"prompt": question} | about
    if len(found) < count:
        raise DataError(
            f"problems of {kind}: {len(found)} different ones in {MANY * count}, not {count}. Ask for fewer."
        )
    return list(found.values())


def write_problems(rows: list[dict[str, Any]], path: Path) -> Path:
    """A line of JSON each."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _drawn(spec: Kind, seed: int, count: int) -> Iterator[dict[str, Any]]:
    with _generators() as generator:
        drawn = generator(spec.module, seed=seed, size=count, **spec.options)
        for number in range(count):
            yield drawn[number]


@contextmanager
def _generators() -> Iterator[Callable[..., Any]]:
    """Makes one data set; the library's rooms are entered without their ``__init__``.

    Those import every generator there is, and with them nine packages that these do not need, one to be compiled.
    What was imported so is forgotten again: it is not the library as others would find it.
    """
    found = importlib.util.find_spec(LIBRARY)
    if found is None or not found.submodule_search_locations:
        from evoray.demo.parent import REMEDY

        raise ConfigError(f"evoray demo --task language: reasoning-gym not installed. {REMEDY}.")
    root = Path(found.submodule_search_locations[0])
    before = {name: sys.modules.pop(name) for name in _own_modules()}
    try:
        _enter(LIBRARY, root)

        def make(module: str, **options: Any) -> Any:
            room, name = module.split(".")
            _enter(f"{LIBRARY}.{room}", root / room)
            importlib.import_module(f"{LIBRARY}.{module}")
            return importlib.import_module(f"{LIBRARY}.factory").create_dataset(name, **options)

        yield make
    finally:
        for name in _own_modules():
            del sys.modules[name]
        sys.modules.update(before)


def _own_modules() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == LIBRARY]


def _enter(name: str, folder: Path) -> None:
    room = ModuleType(name)
    room.__path__ = [str(folder)]
    sys.modules[name] = room

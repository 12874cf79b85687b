"""Names in a configuration that stand for classes: a strategy, a kind of mutation, or one of a user's own.

A table holds names and where the classes lie, as strings: nothing is imported before its name is asked for, and the
schema knows no variant by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from evoray.config.allowed import as_toml, nearest
from evoray.config.section import Section
from evoray.errors import ConfigError
from evoray.runtime.importing import import_function
from evoray.runtime.reading import shown


class Variant:
    """What a table may name: a class, with its section of the configuration beside it."""

    Section: ClassVar[type[Section]]
    """Its own keys and their defaults."""

    mutation_defaults: ClassVar[Mapping[str, Any]] = {}
    """Keys of ``[mutation]`` that it sets where the file leaves them out."""

    @classmethod
    def check(cls, config: Any) -> None:
        """Raises ValueError where another section of the run, a ``RunConfig``, does not fit this variant."""


V = TypeVar("V", bound=Variant)


@dataclass(frozen=True)
class Variants(Generic[V]):
    """A table of names.

    Args:
        key: the configuration's key whose values the names are, such as ``search.strategy``.
        base: what every class of the table is derived from.
        names: name -> ``package.module:Class``.
    """

    key: str
    base: type[V]
    names: Mapping[str, str]
    _found: dict[tuple[type, str], type[V]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """By its section's class and its name, what was found."""

    def find(self, name: Any, config_dir: Path | None = None) -> type[V]:
        """The class of a name, or a user's own by ``package.module:Class``, looked for in ``config_dir`` as well.

        Raises:
            ValueError: the name is neither.
            ConfigError: a user's class cannot be imported, or is none that fits.
        """
        where = self.names.get(name, name) if isinstance(name, str) else ""
        if ":" not in where:
            own, meant = f"none of {', '.join(self.names)}", nearest(name, self.names)
            hint = f'; did you mean "{meant}"?' if meant else ""
            key = f"{self.key.partition('.')[2]} = {shown(as_toml(name), 120)}"
            raise ValueError(f'{key} is {own}, nor a "package.module:Class"{hint}')
        found = import_function(where, None if name in self.names else config_dir)
        if not (isinstance(found, type) and issubclass(found, self.base)):
            base = f"{self.base.__module__}.{self.base.__qualname__}"
            raise ConfigError(f'{self.key} = "{name}": derive that class from {base}.')
        self._found[getattr(found, "Section", None) or type(None), name] = found
        return found

    def chosen(self, values: Mapping[str, Any], config_dir: Path | None = None) -> type[V]:
        """The class that a section's values name, the table's first where they name none. Raises as ``find``."""
        return self.find(values.get(self.key.partition(".")[2], next(iter(self.names))), config_dir)

    def of(self, section: Section) -> type[V]:
        """The class whose section of a configuration this is: the one found when it was read, whatever module of that
        name another configuration's folder has. Raises as ``find``."""
        name = getattr(section, self.key.partition(".")[2])
        return self._found.get((type(section), name)) or self.find(name)


def table_at(where: str) -> Variants[Any]:
    """The table that a room above the configuration keeps beside its variants, found by ``package.module:TABLE``."""
    table = import_function(where)
    assert isinstance(table, Variants)
    return table

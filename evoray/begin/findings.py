"""What ``evoray doctor`` finds: one line each, good, worth attention, or bad, with what to do."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from evoray.runtime.reading import reason_of

Level = Literal["good", "attention", "bad"]


@dataclass(frozen=True)
class Finding:
    """found: in words; remedy: what to do, empty where nothing has to be done."""

    level: Level
    what: str
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        return {"level": self.level, "what": self.what, "found": self.found, "remedy": self.remedy}


Look = Callable[[], Iterable[Finding]]


def good(what: str, found: str) -> Finding:
    return Finding("good", what, found)


def attention(what: str, found: str, remedy: str) -> Finding:
    return Finding("attention", what, found, remedy)


def bad(what: str, found: str, remedy: str) -> Finding:
    return Finding("bad", what, found, remedy)


def looked(what: str, look: Look) -> Iterator[Finding]:
    """What a look finds; where it cannot look, that, for the others go on."""
    try:
        yield from look()
    except Exception as error:  # of any machine, which this one has not met
        yield attention(what, f"could not be looked at ({reason_of(error)})", "The other lines hold all the same.")

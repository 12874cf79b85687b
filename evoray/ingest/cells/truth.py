"""Words of truth: programs write ``True``, ``TRUE`` and ``true`` for one thing, so as labels they are one class."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from evoray.ingest.labels.columns import listed

_MEANS = {"true": True, "yes": True, "false": False, "no": False, "t": True, "y": True, "f": False, "n": False}
_MEANS |= {"1": True, "0": False}
"""What a word says, in lower case."""


def one_spelling(values: Sequence[str]) -> tuple[Sequence[str], str]:
    """Labels in which true, false, yes and no are in lower case, where one of them is written in several ways; and what
    is said of it. One way of writing is kept."""
    spelled: dict[str, set[str]] = defaultdict(set)
    for value in set(values):
        if len(value) > 1 and (word := value.casefold()) in _MEANS:
            spelled[word].add(value)
    several = {word: names for word, names in spelled.items() if len(names) > 1}
    if not several:
        return values, ""
    to = {name: word for word, names in spelled.items() for name in names}
    which = "; ".join(f"{listed(sorted(names))} are {word}" for word, names in sorted(several.items()))
    return [to.get(value, value) for value in values], f"words of truth are one class however they are written: {which}"


def unclear(names: Iterable[str]) -> tuple[str, str] | None:
    """A label that may be the same answer as another one, and why; None where each answer has one word."""
    names, words = list(names), dict[str, str]()
    if not all(name.casefold() in _MEANS for name in names):
        return None  # yes and no may be two of many
    for name in names:
        word = name.casefold()
        if word in words:
            return name, f"beside {words[word]}: two letters, or one answer in two spellings"
        words[word] = name
    for word, name in words.items():
        other = next((one for one in words if one != word and _MEANS[one] == _MEANS[word]), None)
        if other is not None and len(word) > 1:
            return name, f"beside {words[other]}: two words for one answer"
    return None

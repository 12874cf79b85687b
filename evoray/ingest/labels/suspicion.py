"""Labels that are no classes although each is one word or number a file: tags put together, and measurements.

Asked only where the evidence is strong: ordinary lists of classes (a thousand indices, persons' ids with gaps, species
with a few images each, names that share a word) are never stopped. ``--as-classes`` answers for all of it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from evoray.ingest.labels.columns import listed, plain
from evoray.runtime.reading import shown

_TAGS = "tag tags keyword keywords attribute attributes genre genres hashtags topics themes"
TAGS = frozenset(_TAGS.split())
"""Names of columns that hold several words a file."""
_MEASURES = """
    age ages agemonths ageyears boneage year years month months day days hour hours minutes seconds price prices cost
    amount value income salary score scores rating ratings votes likes views popularity pawpularity quality mos
    weight height width length size area depth distance angle steering speed temperature humidity pressure count counts
    calories bmi density steps percent percentage yield
"""
MEASURES = frozenset(_MEASURES.split())
"""Names of columns that hold a measurement. Up to ten different numbers in one are grades, and so classes."""
GRADES, GRADE = 10, 100
ENOUGH = 20
"""Different numbers below which their distribution says nothing."""
SAMPLE = 5000
"""Different labels that are looked at."""
ANSWER = "If each is a class of its own, say --as-classes"


def tags(column: str, names: Iterable[str]) -> str | None:
    """Why labels of several words are tags put together, several a file; None where they may well be classes."""
    several = _several(names)
    uses = Counter(word for words in several.values() for word in set(words))
    shared = [word for word, count in uses.items() if count > 1]
    if len(several) < 2 or not shared:
        return None
    sets = {frozenset(words) for words in several.values()}
    if plain(column) in TAGS:
        why = f"the column is called {shown(column, 40)}"
    elif len(sets) < len(several) and _reordered(several.values(), uses):
        why = "the same words stand in different orders"
    elif _nested(several.values()):
        why = "most are others with words put in"
    elif _alphabetical(several.values()) and 2 * len(shared) >= len(uses):
        why = "the words of each are in the order of the alphabet"
    elif _anywhere(several.values(), len(uses)):
        why = "any word stands before and behind any other"
    else:
        return None
    pair = [name for name, words in several.items() if shared[0] in words][:2]
    return f"labels such as {listed(pair)} are made of {len(uses)} words, and {why}: several tags a file (multi-label)"


def few_words(names: Iterable[str]) -> str | None:
    """Words that most labels share, where that is no proof: for a note."""
    several = _several(names)
    uses = Counter(word for words in several.values() for word in set(words))
    shared = [word for word, count in uses.most_common() if count > 1]
    return listed(shared, 3) if len(several) >= 3 and 2 * len(shared) >= len(uses) <= 2 * len(several) else None


def _several(names: Iterable[str]) -> dict[str, list[str]]:
    """Labels of several words; names with commas are ImageNet's, and joined ones are found elsewhere."""
    found: dict[str, list[str]] = {}
    for name in names:
        if "," not in name and len(words := name.casefold().split()) > 1:
            found[name] = words
        if len(found) == SAMPLE:
            break
    return found


def _reordered(labels: Iterable[list[str]], uses: Mapping[str, int]) -> bool:
    """``a b`` beside ``b a``, of words that other labels have too."""
    orders: dict[frozenset[str], set[tuple[str, ...]]] = {}
    for words in labels:
        orders.setdefault(frozenset(words), set()).add(tuple(words))
    return any(len(found) > 1 and all(uses[word] > 2 for word in words) for words, found in orders.items())


def _nested(labels: Iterable[list[str]]) -> bool:
    """A quarter and three at least have one or two words more than another one of several; lengths of three kinds.

    Words that stand neither all before nor all behind: ``Onion Red Peeled`` is a name.
    """
    every = {tuple(words) for words in labels}
    if len({len(words) for words in every}) < 3:
        return False
    more = inside = 0
    for words in every:
        if 2 < len(words) <= 40:
            shorter = {left for many in (1, 2) for left in combinations(words, len(words) - many)} & every
            more += bool(shorter)
            inside += any(words[: len(left)] != left != words[-len(left) :] for left in shorter)
    return inside >= 3 and 4 * more >= len(every)


def _alphabetical(labels: Iterable[list[str]]) -> bool:
    """All of them, which chance gives to one list in a thousand; of two lengths, for a grid of colours and things."""
    chance = 0.0
    lengths = set()
    for words in labels:
        if sorted(words) != words or len(words) > 100:
            return False
        chance -= math.lgamma(len(words) + 1)
        lengths.add(len(words))
    return chance < -math.log(1000) and len(lengths) > 1


def _anywhere(labels: Iterable[list[str]], vocabulary: int) -> bool:
    """Half of the words, and three, both begin and end labels; the noun of a name stands at its end."""
    labels = list(labels)
    both = {words[0] for words in labels} & {words[-1] for words in labels}
    return len(both) >= 3 and 2 * len(both) >= vocabulary <= len(labels)


def measured(column: str, counts: Mapping[int, int]) -> str | None:
    """Why whole numbers are a measurement; None where they may well be classes.

    Args:
        counts: number -> images.
    """
    many, largest = len(counts), max(counts)
    if plain(column) in MEASURES and (many > GRADES or largest > GRADE):
        why = f"the column is called {shown(column, 40)}"
    elif many < ENOUGH:
        return None
    elif _prices(counts):
        why = "most are round and occur once"
    elif largest >= max(25_000, 100 * many) and _singles(counts):
        why = "most occur once"
    elif _bell(counts):
        why = "their counts rise and fall smoothly, as of a quantity"
    else:
        return None
    return f"{many} different whole numbers from {min(counts)} to {largest}, and {why}: a list for regression"


def sparse(counts: Mapping[int, int]) -> bool:
    """Many numbers, half of them of one image: no proof of a measurement, and worth a note."""
    return len(counts) >= ENOUGH and 2 * sum(count == 1 for count in counts.values()) >= len(counts)


def _singles(counts: Mapping[int, int]) -> bool:
    return 2 * sum(count == 1 for count in counts.values()) > len(counts)


def _prices(counts: Mapping[int, int]) -> bool:
    """Numbers that end with 0, 5 or 9 twice as often as by chance, far apart, and mostly once."""
    ends = sum(number % 10 in (0, 5, 9) for number in counts)
    return 10 * ends >= 6 * len(counts) and max(counts) >= 5 * len(counts) and _singles(counts)


def _bell(counts: Mapping[int, int]) -> bool:
    """Neighbours have like counts, most in the middle; classes' counts jump, or fall where they are sorted by them."""
    low, high = min(counts), max(counts)
    if high - low >= 2 * len(counts) or sum(counts.values()) < 5 * len(counts):
        return False
    image = np.array([counts.get(number, 0) for number in range(low, high + 1)], float)
    if min(np.ptp(image[:-1]), np.ptp(image[1:])) == 0 or np.corrcoef(image[:-1], image[1:])[0, 1] < 0.6:
        return False
    smooth = np.convolve(image, np.ones(5) / 5, "valid")
    return bool(max(smooth[0], smooth[-1]) < smooth.max() / 2)

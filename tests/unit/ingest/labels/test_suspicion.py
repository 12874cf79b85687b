"""Tags and measurements are told from classes; ordinary lists of classes are never asked about."""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

import pytest

from evoray.ingest.labels.suspicion import few_words, measured, tags

OTHERS = ["agriculture", "bare_ground", "blooming", "cultivation", "habitation", "road", "slash_burn", "water"]
WEATHER = ["clear", "cloudy", "haze"]


def planet(count, seed):
    """Labels as in the Amazon set: one of the weather, mostly primary, and others, sorted."""
    random = Random(seed)
    found = []
    for _ in range(count):
        others = random.sample(OTHERS, random.choice([0, 0, 1, 2, 3]))
        found.append(" ".join(sorted(["primary", random.choice(WEATHER), *others])))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [40, 2000])
def test_tags_put_together_are_known_by_their_words(count, seed):
    assert "several tags a file" in tags("label", dict.fromkeys(planet(count, seed)))


@pytest.mark.parametrize("column", ["tags", "Tag", "genres", "attributes", "key_words"])
def test_a_column_of_tags_is_known_by_its_name(column):
    names = ["haze primary", "clear primary"]
    assert f"the column is called {column}" in tags(column, names)
    assert tags(column, ["cat", "dog"]) is None, "one word each: they are classes"
    assert tags(column, ["new york", "big apple"]) is None, "no word is shared"


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["cat dog", "dog cat", "cat bird", "dog bird"], "different orders"),
        (["rain night", "night rain", "rain fog", "fog night", "night snow"], "different orders|before and behind"),
        (["sun sea", "sea sand", "sand sun", "sun boat"], "before and behind|different orders"),
        (["a b", "a b c", "b c", "b d", "a b d", "b c d", "a d", "c d", "a c"], "put in|order of the alphabet"),
        (["red wet", "red dry wet", "red dry wet old", "wet old", "wet dry old", "red dry old", "red old"], "put in"),
    ],
)
def test_what_only_tags_do_is_told(names, why):
    found = tags("", names)
    assert found is not None and any(one in found for one in why.split("|"))


CARDS = [f"{rank} of {suit}" for rank, suit in product(("ace", "two", "three", "king"), ("clubs", "hearts", "spades"))]
FRUITS = """Apple Red 1|Apple Red 2|Apple Red Yellow 1|Cherry|Cherry Rainier|Cherry Wax Black|Grape White|Grape White 2
Onion Red|Onion Red Peeled|Onion White|Pear|Pear Red|Tomato|Tomato Maroon|Potato Red|Potato Red Washed|Banana Red"""
DISEASES = """Apple Black rot|Apple Cedar apple rust|Apple healthy|Corn Common rust|Corn healthy|Grape Black rot|Potato
Early blight|Potato Late blight|Potato healthy|Tomato Early blight|Tomato Late blight|Tomato healthy|Tomato Leaf Mold"""
SIGNS = """speed limit 20|speed limit 30|end of speed limit 80|no overtaking|end of no overtaking|end of all limits|
stop|traffic light|traffic light red|traffic light green|turn left ahead|turn right ahead|go left|go right|stop left"""
BIRDS = """Black footed Albatross|Laysan Albatross|Sooty Albatross|Brewer Blackbird|Red winged Blackbird|
Rusty Blackbird|Yellow headed Blackbird|Brandt Cormorant|Red faced Cormorant|Crested Flycatcher|Least Flycatcher"""


@pytest.mark.parametrize(
    "names",
    [
        CARDS,
        [" ".join(pair) for pair in product(["black", "brown", "red"], ["cat", "dog", "horse", "shirt"])],
        [" ".join(pair) for pair in product(["white", "black"], ["pawn", "king", "queen", "rook"])] + ["empty"],
        FRUITS.replace("\n", "|").split("|"),
        DISEASES.replace("\n", " ").split("|"),
        SIGNS.replace("\n", "").split("|"),
        BIRDS.replace("\n", "").split("|"),
        ["non demented", "very mild demented", "mild demented", "moderate demented"],
        ["golden retriever", "labrador retriever", "flat-coated retriever", "tabby cat", "tiger cat", "tiger shark"],
        ["swiping left", "swiping right", "swiping two fingers left", "swiping two fingers right", "no gesture"],
        [f"Genus{n // 3} species{n % 50}" for n in range(3000)],
        ["tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark", "tiger shark, shark"],
        [f"class {n}" for n in range(100)],
        ["hot dog", "dog", "hamburger"],
    ],
    ids=lambda names: names[0],
)  # fmt: skip
def test_names_that_share_words_are_classes(names):
    assert tags("label", names) is None


def test_words_that_are_shared_are_noted():
    assert few_words(["clear road", "clear primary", "cloudy primary"]) == "clear, primary"
    assert few_words(["golden retriever", "new york", "cat"]) is None


def ages(count, seed):
    random = Random(seed)
    return Counter(min(99, max(1, round(random.gauss(38, 13)))) for _ in range(count))


@pytest.mark.parametrize("seed", range(5))
def test_quantities_are_known_by_their_counts(seed):
    random = Random(seed)
    assert "rise and fall smoothly" in measured("label", ages(3000, seed))
    prices = Counter(random.choice([0, 50, 90, 99]) + 100 * random.randint(1, 400) for _ in range(80))
    assert "most are round and occur once" in measured("", prices)
    assert "most occur once" in measured("label", Counter(random.randrange(900_000) for _ in range(300)))


@pytest.mark.parametrize("column", ["age", "Price", "bone_age", "score", "count", "year", "Pawpularity"])
def test_a_measurement_is_known_by_its_column(column):
    assert f"called {column}: a list for regression" in measured(column, Counter(range(20, 60)))


def test_grades_are_classes():
    assert measured("rating", Counter([1, 2, 3, 4, 5])) is None
    assert measured("count", Counter(range(10))) is None
    assert measured("score", Counter([0, 50, 100])) is None
    assert "year" in measured("year", Counter([2010, 2011]))


def imagenet(images, seed):
    return Counter(Random(seed).randrange(1000) for _ in range(images))


def long_tail(classes, shuffled, seed=0):
    counts = [max(1, int(500 * 0.01 ** (n / classes))) for n in range(classes)]
    if shuffled:
        Random(seed).shuffle(counts)
    return Counter(dict(enumerate(counts)))


@pytest.mark.parametrize(
    "counts",
    [
        Counter(dict.fromkeys(range(1000), 50)),
        Counter(dict.fromkeys(range(0, 1000, 10), 50)),
        Counter(dict.fromkeys(range(1, 1001), 1)),
        *(imagenet(images, images) for images in (20, 50, 300, 1000, 5000)),
        *(Counter(Random(n).randrange(21_841) for _ in range(n)) for n in (30, 100, 1000)),
        *(Counter(Random(n).randrange(10_000) for _ in range(n)) for n in (100, 3000, 30_000)),
        Counter({person: Random(person).randint(2, 72) for person in Random(1).sample(range(2, 1502), 751)}),
        Counter({person: Random(person).randint(80, 600) for person in range(1, 9131)}),
        long_tail(100, False), long_tail(1000, False), long_tail(1000, True), long_tail(40, True),
        Counter({n: Random(n).randint(1200, 1300) for n in range(1000)}),
        Counter({n: 100 + n % 7 for n in range(200)}),
        Counter(dict.fromkeys(range(10), 1)), Counter([5]), Counter([0, 1]),
    ],
    ids=lambda counts: f"{len(counts)}of{max(counts)}x{sum(counts.values())}",
)  # fmt: skip
@pytest.mark.parametrize("column", ["label", "class_id", ""])
def test_indices_of_classes_are_classes(counts, column):
    assert measured(column, counts) is None

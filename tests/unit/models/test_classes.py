"""Classes find their outputs by any of their names; what is not certain is refused."""

from __future__ import annotations

import pytest
from torchvision.models import ResNet50_Weights

from evoray.data import open_dataset, relabelled
from evoray.errors import ConfigError, DataError
from evoray.models import outputs_of
from evoray.models.classes import synsets

CATEGORIES = tuple(ResNet50_Weights.DEFAULT.meta["categories"])
GOLDFISH, HEN = 1, 8


def test_the_synsets_are_imagenets():
    assert len(set(synsets())) == 1000 and list(synsets()) == sorted(synsets())
    assert synsets()[GOLDFISH] == "n01443537" and CATEGORIES[GOLDFISH] == "goldfish"
    assert synsets()[999] == "n15075141" and CATEGORIES[999] == "toilet tissue"


@pytest.mark.parametrize("parent", [CATEGORIES, synsets()])
@pytest.mark.parametrize(
    "classes",
    [
        ("hen", "goldfish"),
        ("n01514859", "n01443537"),
        ("8", "1"),
        ("0008", "0001"),
        ("Hen", "GOLDFISH, Carassius auratus"),
    ],
)
def test_a_subset_is_found_by_any_name(classes, parent):
    assert outputs_of(classes, parent, 1000) == (HEN, GOLDFISH)


@pytest.mark.parametrize("classes", [CATEGORIES, synsets(), tuple(f"{i:04d}" for i in range(1000))])
@pytest.mark.parametrize("parent", [CATEGORIES, synsets()])
def test_the_whole_list_is_in_order(classes, parent):
    assert outputs_of(classes, parent, 1000) is None


def test_a_list_that_differs_in_a_few_words_is_the_same_list():
    longer = [f"{name}, and more" for name in CATEGORIES]
    longer[134] = "crane"  # as other lists have it, and torchvision has at 517
    longer[638] = longer[639] = "maillot"
    assert outputs_of(longer, CATEGORIES, 1000) is None


def test_spaces_and_underscores_are_one():
    assert outputs_of(("great_white_shark", "Tree-Frog"), CATEGORIES, 1000) == (2, CATEGORIES.index("tree frog"))


@pytest.mark.parametrize(
    ("classes", "parent", "words"),
    [
        (("cat", "goldfish"), CATEGORIES, "1 are none of the parent's, such as cat"),
        (("a", "b"), ("a", "c"), "such as b"),
        (("a", "b"), ("a", "b", "b"), "b could be several"),
        (("goldfish", "n01443537"), CATEGORIES, "the same one"),
        (("n99999999",), CATEGORIES, "n99999999"),
        (("b", "a", "c"), ("a", "b"), "such as c"),
    ],
)
def test_what_is_not_certain_is_refused(classes, parent, words):
    with pytest.raises(DataError, match=rf"{words}.*data\.outputs"):
        outputs_of(classes, parent, len(parent))


def test_the_same_names_in_another_order_are_put_right():
    assert outputs_of(("b", "c", "a"), ("a", "b", "c"), 3) == (1, 2, 0)


def test_synsets_need_no_names_of_the_parents():
    assert outputs_of(("n01443537", "n01514859"), None, 1000) == (GOLDFISH, HEN)
    assert outputs_of(("n01443537", "n01514859"), None, 2) is None


def test_labels_become_outputs():
    plain = open_dataset("mock:images=20,size=4,classes=3")
    found = relabelled(plain, (7, 2, 5))
    labels = plain.load(0).labels
    assert found.load(0).labels.tolist() == [(7, 2, 5)[label] for label in labels]
    assert found.classes[7] == "class0" and found.classes[0] == "" and len(found.classes) == 8
    assert found.digest not in (plain.digest, relabelled(plain, (7, 2, 6)).digest)
    assert relabelled(plain, "auto") is plain


@pytest.mark.parametrize("outputs", [(1, 2), (1, 1, 2)])
def test_outputs_must_be_one_for_each_class(outputs):
    with pytest.raises(ConfigError, match=r"data\.outputs"):
        relabelled(open_dataset("mock:images=4,size=4,classes=3"), outputs)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evoray.data import open_dataset, relabelled
from evoray.errors import ConfigError

SPEC = "mock:images=30,size=2,classes=3,channels=1,shard_size=16"


@pytest.mark.parametrize("word", ["classes", "", "auto"])
def test_a_word_changes_nothing(word):
    dataset = open_dataset(SPEC)
    assert relabelled(dataset, word) is dataset


@given(st.permutations(range(6)).map(lambda order: order[:3]))
def test_each_label_becomes_its_output_and_its_name_goes_along(outputs):
    dataset = open_dataset(SPEC)
    found = relabelled(dataset, outputs)
    for index in range(2):
        before, after = dataset.load(index), found.load(index)
        assert after.labels.tolist() == [outputs[label] for label in before.labels]
        assert np.array_equal(after.images, before.images)
        assert (after.index, after.sources) == (before.index, before.sources)
        assert [found.classes[label] for label in after.labels] == [dataset.classes[label] for label in before.labels]
    assert len(found.classes) == max(outputs) + 1
    assert (found.name, found.shard_rows, found.image_shape) == (dataset.name, dataset.shard_rows, dataset.image_shape)


def test_an_output_that_is_no_class_has_no_name():
    assert relabelled(open_dataset(SPEC), [4, 1, 2]).classes == ("", "class1", "class2", "", "class0")


def test_the_digest_depends_on_the_images_and_the_outputs():
    datasets = [open_dataset(SPEC), open_dataset(SPEC + ",seed=1")]
    digests = [relabelled(dataset, outputs).digest for dataset in datasets for outputs in ([0, 1, 2], [0, 2, 1])]
    assert len({*digests, *(dataset.digest for dataset in datasets)}) == 6
    assert relabelled(datasets[0], (0, 2, 1)).digest == digests[1], "a tuple is the same as a list"


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ([0, 1], r"2 numbers \(2 different\) for the 3 classes"),
        ([0, 1, 2, 3], r"4 numbers \(4 different\) for the 3 classes"),
        ([0, 1, 1], r"3 numbers \(2 different\) for the 3 classes"),
        ([], r"0 numbers \(0 different\) for the 3 classes"),
    ],
)
def test_each_class_has_one_output_of_its_own(outputs, message):
    with pytest.raises(ConfigError, match=rf"^data\.outputs: {message} of mock:.*Give a different output"):
        relabelled(open_dataset(SPEC), outputs)

import json

import pytest

from evoray.errors import ModelError
from evoray.models.base import Preprocessing
from evoray.models.transformers.images import preprocessing_of

OWN = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3]}


def written(folder, values):
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("more", "mean", "std"),
    [
        ({}, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3)),
        ({"rescale_factor": 0.00392156862745098, "do_resize": True}, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3)),
        ({"do_normalize": False}, (0, 0, 0), (1, 1, 1)),
        ({"image_mean": 0.5, "image_std": 0.5}, (0.5,) * 3, (0.5,) * 3),
        ({"rescale_factor": 1 / 127.5}, (0.25, 0.2, 0.15), (0.05, 0.1, 0.15)),
        ({"do_rescale": False, "image_mean": [127.5], "image_std": [255]}, (0.5,), (1,)),
    ],
)
def test_mean_and_std_of_images_that_arrive_in_0_to_1(tmp_path, more, mean, std):
    found = preprocessing_of(written(tmp_path, OWN | more))
    assert found.mean == pytest.approx(mean) and found.std == pytest.approx(std)
    assert (found.resize, found.crop, found.channels) == (None, None, len(mean))


def test_a_folder_without_an_image_processor(tmp_path):
    assert preprocessing_of(tmp_path) == Preprocessing()
    assert preprocessing_of(written(tmp_path, {"feature_size": 80, "sampling_rate": 16000})) == Preprocessing()


@pytest.mark.parametrize(
    "more", [{"image_mean": "x"}, {"image_std": [0, 0, 0]}, {"rescale_factor": -1}, {"image_mean": [0.5, 0.5]}]
)
def test_numbers_that_cannot_be_meant(tmp_path, more):
    with pytest.raises(ModelError, match="Save it again"):
        preprocessing_of(written(tmp_path, OWN | more))

import numpy as np
import pytest
from PIL import Image

from evoray.data.transform import ImageTransform
from evoray.ingest.segmentation.ingest import like_image
from evoray.ingest.segmentation.palette import UNLABELLED


@pytest.mark.parametrize("size", [(31, 47), (47, 31), (40, 40), (9, 200)])
@pytest.mark.parametrize(("resize", "crop"), [(16, 16), (20, 13), (64, 50), (None, 7), (None, None), (12, None)])
def test_the_same_pixels_as_a_picture_by_its_nearest(size, resize, crop):
    values = np.random.default_rng(0).integers(0, 200, size=size).astype(np.uint8)
    transform = ImageTransform(resize=resize, crop=crop, interpolation="nearest", channels=1)
    assert np.array_equal(like_image(values.astype(np.uint16), transform), transform(Image.fromarray(values))[0])


def test_what_lies_outside_of_the_picture_has_no_label():
    found = like_image(np.ones((2, 3), np.uint16), ImageTransform(resize=None, crop=5, channels=1))
    assert found.shape == (5, 5) and (found == 1).sum() == 6 and set(found.ravel().tolist()) == {1, UNLABELLED}
    assert np.array_equal(
        found == 1, ImageTransform(resize=None, crop=5, channels=1)(Image.new("L", (3, 2), 9))[0] == 9
    )

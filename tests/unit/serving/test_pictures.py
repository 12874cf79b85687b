from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sent import encoded

from evoray.data import ImageTransform
from evoray.errors import UsageError
from evoray.serving.pictures import pictures_of
from evoray.serving.plan import Limits, Refused

LIMITS = Limits()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP"])
def test_every_format_of_ingest_is_read(predictor, kind, test_pictures):
    colours = np.repeat(test_pictures[0], 3, axis=0)
    assert predictor.intake.prepare(encoded(colours, kind), LIMITS).shape == (1, 28, 28)


def test_other_sizes_go_through_the_transform(predictor):
    picture = np.random.default_rng(0).integers(0, 255, (50, 70), dtype=np.uint8)
    wanted = ImageTransform(resize=28, crop=28, channels=1)(encoded(picture))
    assert np.array_equal(predictor.intake.prepare(encoded(picture), LIMITS), wanted)


@pytest.mark.parametrize(("pixels", "status"), [(28 * 28 - 1, 413), (28 * 28, None)])
def test_pixels_are_counted_before_decoding(predictor, test_pictures, pixels, status):
    content = encoded(test_pictures[0])
    if status is None:
        predictor.intake.prepare(content, Limits(pixels=pixels))
        return
    with pytest.raises(Refused) as refused:
        predictor.intake.prepare(content, Limits(pixels=pixels))
    assert refused.value.status == status


def test_a_picture_of_another_shape_is_refused_where_nothing_cuts_it(test_pictures):
    uncut = pictures_of(
        SimpleNamespace(
            image_shape=(1, 28, 28), classes=(), name="x", manifest=SimpleNamespace(
                transform=ImageTransform(resize=None, crop=None, channels=1)
            ),
        )
    )  # fmt: skip
    assert uncut.prepare(encoded(test_pictures[0]), LIMITS).shape == (1, 28, 28)
    with pytest.raises(Refused, match="30 x 20"):
        uncut.prepare(encoded(np.zeros((20, 30), dtype=np.uint8)), LIMITS)


def test_data_that_says_no_transform():
    with pytest.raises(UsageError, match="nothing says how"):
        pictures_of(SimpleNamespace(image_shape=(3, 20, 30), classes=(), name="data"))

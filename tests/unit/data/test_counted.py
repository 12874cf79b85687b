from __future__ import annotations

import pytest

from evoray.data.schema import counted


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Image passes", "Record passes"),
        ("one score an image, of all images", "one score a record, of all records"),
        ("An image's outputs", "A record's outputs"),
        ("image_encoder and ImageNet stay", "image_encoder and ImageNet stay"),
    ],
)
def test_sentences_about_images_become_ones_about_records(sentence, found):
    assert counted(sentence, "records") == found
    assert counted(sentence, "images") == sentence

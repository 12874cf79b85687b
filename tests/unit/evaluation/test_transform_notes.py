"""What is said where images were not made as the parent asks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from evoray.data.transform import ImageTransform
from evoray.evaluation.judging import transform_notes
from evoray.models import Parent, Preprocessing

OWN = Preprocessing((0.5,) * 3, (0.5,) * 3, 256, 224, "bilinear", True, 3)


def said(own, **changed):
    transform = ImageTransform(**changed) if changed != {"none": True} else None
    dataset = SimpleNamespace(manifest=SimpleNamespace(transform=transform))
    return transform_notes(Parent(nn.Identity(), "net", own), SimpleNamespace(datasets={"select": dataset}))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"resize": 232}, "resize 232 (its own: 256)"),
        ({"crop": 192}, "crop 192 (its own: 224)"),
        ({"crop": None}, "crop none (its own: 224)"),
        ({"interpolation": "bicubic"}, "interpolation bicubic (its own: bilinear)"),
        ({"antialias": False}, "antialias False (its own: True)"),
        ({"channels": 1}, "channels 1 (its own: 3)"),
        ({"resize": None, "crop": None, "interpolation": "bicubic"}, "resize none (its own: 256)"),
        ({"resize": 232, "interpolation": "bicubic"}, "resize 232 (its own: 256), interpolation bicubic"),
    ],
)
def test_one_sentence_names_what_differs(changed, expected):
    (sentence,) = said(OWN, **changed)
    assert expected in sentence and "--for CONFIG.toml" in sentence
    assert "interpolation" not in sentence or "interpolation" in expected


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        (OWN, {}),
        (Preprocessing(), {"resize": 99}),
        (Preprocessing(mean=(0.5,), std=(0.5,)), {"crop": 99, "channels": 1}),
        (Preprocessing(crop=224), {"resize": 99}),
        (OWN, {"none": True}),
    ],
)
def test_nothing_is_said_where_nothing_differs_or_is_known(own, changed):
    assert said(own, **changed) == []

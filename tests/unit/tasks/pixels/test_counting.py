import numpy as np
import pytest
import torch

from evoray.errors import ModelError
from evoray.tasks.pixels import counting
from evoray.tasks.pixels.counting import Masks, check_maps, class_maps, counts


def masks_of(labels):
    known = labels[labels != 255]
    return Masks(labels, int(known.max()) if len(known) else -1)


def drawn(images=3, classes=4, side=6):
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (images, side, side), generator=draw, dtype=torch.uint8)
    labels[0, 0] = 255
    return torch.randn(images, classes, side, side, generator=draw), labels


def by_hand(maps, labels, classes):
    rows = []
    for one, mask in zip(maps.double().numpy(), labels.numpy(), strict=True):
        log_p = one - np.log(np.exp(one).sum(axis=0))
        known = mask != 255
        rows.append(-np.mean([log_p[mask[at], *at] for at in np.argwhere(known).tolist() for at in [tuple(at)]]))
    answers = maps.argmax(1).numpy()
    hit, given = (
        np.array([[np.sum((answers[i] == c) & where(i, c)) for c in range(classes)] for i in range(len(maps))])
        for where in (lambda i, c: labels[i].numpy() == c, lambda i, c: labels[i].numpy() != 255)
    )
    return np.array(rows), hit, given


def test_counts_are_those_of_every_pixel_by_hand(monkeypatch):
    maps, labels = drawn()
    found = counts(maps, masks_of(labels), 4, 255)
    for own, expected in zip(found, by_hand(maps, labels, 4), strict=True):
        np.testing.assert_allclose(own.numpy(), expected, rtol=1e-6)
    monkeypatch.setattr(counting, "VALUES", 1)  # an image at a time
    for own, again in zip(found, counts(maps, masks_of(labels), 4, 255), strict=True):
        assert torch.equal(own, again)


def test_an_answer_that_is_no_class_of_the_data_is_given_to_none():
    maps, labels = drawn(classes=4)
    labels[labels == 3] = 0
    found = counts(maps, masks_of(labels), 3, 255)
    assert found.given.shape == (3, 3)
    assert int(found.given.sum()) == int(((maps.argmax(1) < 3) & (labels != 255)).sum())


def test_the_first_of_equal_scores_is_the_answer():
    found = counts(torch.zeros(1, 3, 2, 2), Masks(torch.zeros(1, 2, 2, dtype=torch.uint8), 0), 3, 255)
    assert found.given.tolist() == [[4, 0, 0]]
    assert found.nll.tolist() == pytest.approx([np.log(3)])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_image_of_scores_that_are_not_numbers_has_no_nll(value):
    maps, labels = drawn()
    maps[1, 2, 3, 3] = value
    found = counts(maps, masks_of(labels), 4, 255).nll
    assert torch.isfinite(found).tolist() == [True, False, True]


def test_an_image_without_labelled_pixels_has_no_nats():
    maps, labels = drawn()
    labels[2] = 255
    found = counts(maps, masks_of(labels), 4, 255)
    assert found.nll[2] == 0 and found.given[2].sum() == 0


@pytest.mark.parametrize("size", [(3, 3), (2, 2)])
def test_smaller_maps_are_enlarged_as_torch_does(size):
    maps, labels = torch.randn(2, 4, *size), drawn(2)[1]
    large = torch.nn.functional.interpolate(maps, size=(6, 6), mode="bilinear", align_corners=False)
    for own, expected in zip(
        counts(maps, masks_of(labels), 4, 255), counts(large, masks_of(labels), 4, 255), strict=True
    ):
        assert torch.equal(own, expected)


@pytest.mark.parametrize(
    ("small", "size"), [((94, 125), (375, 500)), ((37, 37), (518, 518)), ((14, 14), (224, 224)), ((7, 5), (7, 5))]
)
def test_sizes_of_networks_that_answer_in_strides(small, size):
    check_maps(torch.empty(1, 2, *small, device="meta"), size, 1)


@pytest.mark.parametrize("shape", [(2, 388, 388), (224, 224, 2), (2, 448, 448), (2, 56, 28)])
def test_maps_of_another_size_are_refused(shape):
    size = (572, 572) if shape[1] == 388 else (224, 224)
    with pytest.raises(ModelError, match="which pixel is which is not known"):
        check_maps(torch.empty(1, *shape, device="meta"), size, 1)


def test_a_class_that_the_network_lacks_is_refused():
    with pytest.raises(ModelError, match=r"2 classes, 0 to 1, and the masks the label 5.*--palette"):
        check_maps(torch.empty(1, 2, 4, 4, device="meta"), (4, 4), 5)


@pytest.mark.parametrize("shape", [(2, 1, 4, 4), (2, 4, 4)])
def test_one_map_is_the_log_odds_of_class_1(shape):
    odds = torch.randn(shape)
    found = class_maps(odds)
    assert found.shape == (2, 2, 4, 4)
    assert torch.equal(found[:, 1], odds.reshape(2, 4, 4)) and not found[:, 0].any()


@pytest.mark.parametrize("answer", [torch.zeros(2, 3), torch.zeros(2, 3, 4, 4, dtype=torch.int64)])
def test_what_are_no_maps_of_scores(answer):
    with pytest.raises(ModelError, match="before softmax and argmax"):
        class_maps(answer)

import pytest

from evoray.errors import DataError
from evoray.ingest.segmentation.pairing import apart, paired


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["1.jpg", "2.jpg"], ["2.png", "1.png"]),
        (["a/1.jpg", "b/1.jpg"], ["a/1.png", "b/1.png"]),
        (["1.jpg", "2.jpg"], ["1_mask.png", "2_mask.png"]),
        (["1_sat.jpg", "2_sat.jpg"], ["1_mask.png", "2_mask.png"]),
        (["0001.png"], ["0001_L.png"]),
        (["a/x_0_leftImg8bit.png"], [f"a/x_0_gtFine_{what}.png" for what in ("color", "labelIds", "instanceIds")]),
        (["train/1.jpg", "train/2.jpg"], ["1.png", "2.png"]),
        (["1.v2.jpg"], ["1.v2.png"]),
    ],
)  # fmt: skip
def test_by_stem(images, masks):
    found = paired(images, masks, ("images", "masks"), False)
    assert list(found.images) == images
    digits = ["".join(filter(str.isdigit, name.replace("8bit", "").replace("train", ""))) for name in images]
    assert ["".join(filter(str.isdigit, name.replace("8bit", ""))) for name in found.masks] == digits


@pytest.mark.parametrize(
    ("images", "masks", "match"),
    [
        (["1.jpg", "2.jpg"], ["1.png"], "no mask for 1 of 2 images, the first 2.jpg.*2.png.*--listed-only"),
        (["1.jpg"], ["1.png", "2.png"], "no image for 1 of 2 masks, the first 2.png"),
        (["1.jpg"], ["1_mask.png", "1_seg.png"], "1.jpg has several masks"),
        (["1.jpg"], ["x.png"], "no mask for 1 of 1 images"),
    ],
)
def test_half_a_pair(images, masks, match):
    with pytest.raises(DataError, match=match):
        paired(images, masks, ("images", "masks"), False)


def test_what_has_no_other_half_is_left_out_where_asked():
    found = paired(["1.jpg", "2.jpg"], ["2.png", "3.png"], ("images", "masks"), True)
    assert (found.images, found.masks, found.without) == (("2.jpg",), ("2.png",), (1, 1))
    with pytest.raises(DataError, match="no mask for 1 of 1"):
        paired(["1.jpg"], ["x.png"], ("images", "masks"), True)


def test_images_and_masks_of_one_folder():
    assert apart(["1.jpg", "1_mask.png", "2_sat.jpg", "2_mask.png", "my_label.jpg"]) == (
        ["1.jpg", "2_sat.jpg", "my_label.jpg"],
        ["1_mask.png", "2_mask.png"],
    )

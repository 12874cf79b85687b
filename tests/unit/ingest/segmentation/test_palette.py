import numpy as np
import pytest

from evoray.errors import DataError
from evoray.ingest.segmentation.palette import UNKNOWN, UNLABELLED, read_palette


@pytest.mark.parametrize(
    ("text", "classes", "labels"),
    [
        ("0=background, 255=road", ("background", "road"), {0: 0, 255: 1}),
        ("7 = road;8=road;0=Ignore", ("road",), {7: 0, 8: 0, 0: UNLABELLED}),
        ("#000000=background,#FF0080=traffic light", ("background", "traffic light"), {0: 0, 0xFF0080: 1}),
        ("1: a-1", ("a-1",), {1: 0}),
    ],
)
def test_words(text, classes, labels):
    found = read_palette(text)
    assert (found.classes, found.labels, found.coloured) == (classes, labels, "#" in text)


@pytest.mark.parametrize(
    "content",
    [
        "# CamVid\n64 128 64\tAnimal\n\n0,0,0,ignore\n",
        "name,r,g,b\nAnimal,64,128,64\nignore,0,0,0\n",
        '"Animal" 64 128 64\n#000000 ignore\n',
    ],
)
def test_files_of_colours(tmp_path, content):
    (tmp_path / "colours.txt").write_text(content)
    found = read_palette(str(tmp_path / "colours.txt"))
    assert (found.classes, found.labels) == (("Animal",), {64 * 65536 + 128 * 256 + 64: 0, 0: UNLABELLED})


def test_values_become_labels():
    found = read_palette("0=a,9=ignore,3=b")(np.array([[0, 3], [9, 4]], np.uint8))
    assert found.tolist() == [[0, 1], [UNLABELLED, UNKNOWN]]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("0=a, 0=b", "entry 2: b is the second meaning"),
        ("0=a, #ffffff=b", "of one kind"),
        ("0=ignore", "names no class"),
        ("a", "says no value and name|names no class"),
        ("0=a, x y z", "entry 2: .* says no value and name"),
        ("300 0 0 a", "says no value and name"),
        ("", "names no class"),
    ],
)
def test_what_says_nothing(text, match):
    with pytest.raises(DataError, match=match):
        read_palette(text)

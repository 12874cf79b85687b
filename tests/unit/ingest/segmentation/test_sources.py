import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from evoray.errors import ConfigError, DataError
from evoray.ingest.segmentation.sources import DatasetPairs, FolderPairs, TablePairs


def png(values):
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


IMAGE, MASK = png(np.full((3, 4, 3), 9, np.uint8)), png(np.eye(3, 4, dtype=np.uint8))


def test_a_folder(tmp_path):
    for name, content in {"x/b.png": IMAGE, "x/a.png": IMAGE, "y/a.png": MASK, "y/b.png": MASK}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = FolderPairs.of(tmp_path / "x", tmp_path / "y", None, False, False)
    assert list(found.names) == ["a.png", "b.png"] and found.labels == [0, 0]
    assert found.open(0) == IMAGE and found.pair(0) == ((4, 3), MASK)
    before = found.state([0])
    (tmp_path / "x/a.png").write_bytes(IMAGE + b"more")
    assert found.state([0]) != before


def test_images_and_masks_in_one_folder(tmp_path):
    (tmp_path / "a.png").write_bytes(IMAGE)
    (tmp_path / "a_mask.png").write_bytes(MASK)
    found = FolderPairs.of(tmp_path, tmp_path, None, False, False)
    assert (found.names, found.masks) == (("a.png",), ("a_mask.png",))


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(DataError, match="no pictures in it"):
        FolderPairs.of(tmp_path / "x", tmp_path, None, False, False)


COLUMNS = {
    "bytes": (pa.array([IMAGE, IMAGE]), pa.array([MASK, MASK])),
    "Hugging Face's": tuple(pa.array([{"bytes": one, "path": "a"}] * 2) for one in (IMAGE, MASK)),
    "large": (pa.array([IMAGE, IMAGE], pa.large_binary()), pa.array([MASK, MASK], pa.large_binary())),
}


@pytest.mark.parametrize("how", COLUMNS)
def test_two_columns_of_parquet(how):
    image, mask = COLUMNS[how]
    found = TablePairs.of(pa.table({"image": image, "annotation": mask, "other": [1, 2]}), None, None, "t")
    assert list(found.names) == ["record/0", "record/1"]
    assert found.open(1) == IMAGE and found.pair(1) == ((4, 3), MASK)
    named = TablePairs.of(pa.table({"a": image, "b": mask}), "a", "b", "t")
    assert named.pair(0) == ((4, 3), MASK)


@pytest.mark.parametrize(
    ("columns", "named", "error", "match"),
    [
        ({"a": [IMAGE], "mask": [MASK]}, (None, None), ConfigError, "0 columns are called image.*--input; there are a"),
        ({"image": [IMAGE], "mask": [MASK], "label": [MASK]}, (None, None), ConfigError, "2 columns .*--target"),
        ({"image": [IMAGE], "mask": [MASK]}, ("x", None), ConfigError, "no column x"),
        ({"image": [IMAGE], "mask": ["a"]}, (None, None), DataError, "column mask is string, and no pictures"),
        ({"image": [IMAGE, None], "mask": [MASK, MASK]}, (None, None), DataError, "column image, record 1"),
    ],
)
def test_columns_that_are_not_there(columns, named, error, match):
    with pytest.raises(error, match=match):
        TablePairs.of(pa.table(columns), *named, "t")


class Pairs(list):
    def __getitem__(self, index):
        found = super().__getitem__(index)
        return found() if callable(found) else found


def test_a_dataset():
    image = Image.new("RGB", (4, 3))
    found = DatasetPairs.of(Pairs([(image, np.eye(3, 4, dtype=np.int64))]))
    size, mask = found.pair(0)
    assert size == (4, 3) and mask.shape == (3, 4) and found.open(0) is image


@pytest.mark.parametrize(
    ("record", "match"),
    [
        ((1, 2, 3), "a tuple and no pair"),
        ({"image": 1}, "a dict and no pair"),
        ((np.zeros((3, 3, 4), np.float32), 0), "float32"),
        (lambda: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_what_a_dataset_does_not_give(record, match):
    with pytest.raises(DataError, match=match):
        DatasetPairs.of(Pairs([record])).pair(0)


def test_a_dataset_of_random_crops_is_refused():
    draw = np.random.default_rng(0)
    found = DatasetPairs.of(Pairs([lambda: (Image.new("RGB", (4, 3)), draw.integers(0, 9, (3, 4)))]))
    found.pair(0)
    with pytest.raises(DataError, match=r"another mask each time.*Leave random transforms out"):
        found.open(0)

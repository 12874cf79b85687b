"""From folders, Parquet and Datasets to the same shards of images and masks, or one message."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from evoray.data.reader import open_shards, read_manifest
from evoray.errors import ConfigError, DataError
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.ingest.segmentation.ingest import ingest_masks
from evoray.runtime.progress import Progress

COUNT, SIZE = 7, (10, 14)
SMALL = {"resize": "8", "crop": 8, "workers": 1, "shard_size": 3}


def pictures(top=3, void=255):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 255, (COUNT, *SIZE, 3)).astype(np.uint8)
    masks = draw.integers(0, top, (COUNT, *SIZE)).astype(np.uint16 if max(top, void) > 256 else np.uint8)
    masks[:, 0] = void
    return images, masks


def written(folder, images, masks, suffix=".png"):
    for where, values, end in (("images", images, ".png"), ("masks", masks, suffix)):
        (folder / where).mkdir()
        for number, one in enumerate(values):
            Image.fromarray(one).save(folder / where / f"{number}{end}")
    return folder


class Notes(Progress):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


def made(folder, source="images", progress=None, inputs=(), targets=(), **more):
    options = Options(**SMALL | more)
    wanted = wanted_of(options, "segmentation", inputs, targets)
    ingest_records(str(folder / source), folder / "shards", wanted, progress or Notes(), options)
    return open_shards(folder / "shards")


def all_of(shards):
    found = [shards.load(index) for index in range(len(shards.shard_rows))]
    masks = np.concatenate([one["mask"] for one in found])
    names = [name for one in found for name in one.sources]
    return dict(zip(names, masks, strict=True)), np.concatenate([one.images for one in found])


def test_a_folder_and_its_masks(tmp_path):
    images, masks = pictures()
    notes = Notes()
    shards = made(written(tmp_path, images, masks), masks=tmp_path / "masks", progress=notes)
    assert shards.classes == ("0", "1", "2") and shards.shard_rows == (3, 3, 1) and shards.image_shape == (3, 8, 8)
    found, _ = all_of(shards)
    rows = (2 * np.arange(8) + 1) * 10 // 16
    columns = ((2 * np.arange(11) + 1) * 14 // 22)[2:10]  # int(8 * 14 / 10) wide, and cut at round(3 / 2)
    for number in range(COUNT):
        assert np.array_equal(found[f"{number}.png"], masks[number][rows][:, columns])
    assert "labels 0 to 2; pixels of 255 are left out" in notes.lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "masks", "shards"]
    manifest = read_manifest(tmp_path / "shards")
    assert (manifest.columns["mask"].type, manifest.columns["mask"].shape) == ("uint8", (8, 8))
    assert manifest.read["transform"]["crop"] == 8


def test_images_of_which_nothing_is_known_are_left_out_and_said(tmp_path):
    images, masks = pictures()
    masks[1], masks[4] = 255, 255
    masks[5, :, 2:13] = 255  # nothing is left of it once it is cut
    notes = Notes()
    shards = made(written(tmp_path, images, masks), masks=tmp_path / "masks", progress=notes)
    assert sorted(all_of(shards)[0]) == [f"{number}.png" for number in (0, 2, 3, 6)]
    assert any(line.startswith("3 of 7 images have no pixel with a label and are left out, ") for line in notes.lines)


def test_a_root_with_both(tmp_path):
    made(written(tmp_path, *pictures()), source=".")
    with pytest.raises(DataError, match="exists already"):
        made(tmp_path, source=".")


def test_parquet_and_a_dataset_give_the_same(tmp_path, monkeypatch):
    images, masks = pictures()
    by_folder = all_of(made(written(tmp_path, images, masks), masks=tmp_path / "masks"))
    table = {"image": [(tmp_path / f"images/{n}.png").read_bytes() for n in range(COUNT)]}
    table["mask"] = [(tmp_path / f"masks/{n}.png").read_bytes() for n in range(COUNT)]
    (tmp_path / "b").mkdir()
    pyarrow.parquet.write_table(pa.table(table), tmp_path / "b/all.parquet")
    by_table = all_of(made(tmp_path / "b", "all.parquet"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c/pairs_of_test.py").write_text(
        "import io, pyarrow.parquet as parquet\nfrom PIL import Image\n"
        f"table = parquet.read_table({str(tmp_path / 'b/all.parquet')!r}).to_pydict()\n"
        "def make():\n    return [tuple(Image.open(io.BytesIO(one)) for one in pair) for pair in "
        "zip(table['image'], table['mask'])]\n"
    )
    monkeypatch.chdir(tmp_path / "c")
    options = Options(**SMALL)
    ingest_masks(
        "pairs_of_test:make", tmp_path / "c/shards", wanted_of(options, "segmentation", (), ()), options, Notes()
    )
    by_dataset = all_of(open_shards(tmp_path / "c/shards"))
    for other in (by_table, by_dataset):
        assert np.array_equal(by_folder[1], other[1])  # the order is drawn of their number
        for number in range(COUNT):
            assert np.array_equal(by_folder[0][f"{number}.png"], other[0][f"record/{number}"])


def test_masks_of_16_bits(tmp_path):
    images, masks = pictures(400, 65535)
    shards = made(written(tmp_path, images, masks), masks=tmp_path / "masks")
    assert len(shards.classes) == int(masks[masks < 65535].max()) + 1 > 256
    assert shards.load(0)["mask"].dtype == np.uint16
    narrow = tmp_path / "narrow"
    narrow.mkdir()
    shards = made(written(narrow, *pictures(3, 65535)), masks=narrow / "masks")
    assert shards.load(0)["mask"].dtype == np.uint8 and len(shards.classes) == 3


def test_a_palette_says_what_255_is(tmp_path):
    images, masks = pictures(1)
    with pytest.raises(DataError, match=r"the masks hold 0 and 255 alone.*Is it a class.*--palette"):
        made(written(tmp_path, images, masks), masks=tmp_path / "masks")
    assert not (tmp_path / "shards").exists()
    shards = made(tmp_path, masks=tmp_path / "masks", palette="0=ground,255=thing,7=ignore")
    assert shards.classes == ("ground", "thing")
    assert set(np.unique(shards.load(0)["mask"])) <= {0, 1}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: (f / "masks/3.png").unlink(), "no mask for 1 of 7 images, the first 3.png"),
        (lambda f: (f / "images/3.png").unlink(), "no image for 1 of 7 masks, the first 3.png"),
        (
            lambda f: Image.new("L", (20, 9)).save(f / "masks/3.png"),
            "3.png: its mask is 20 x 9 pixels and the image 14 x 10",
        ),
        (lambda f: (f / "masks/3.png").write_bytes(b"no"), "3.png: the mask cannot be read"),
        (lambda f: Image.new("RGB", (14, 10), (1, 2, 3)).save(f / "masks/3.png"), "3.png: the mask is in colours"),
        (lambda f: Image.new("I;16", (14, 10), 5000).save(f / "masks/3.png"), "labels up to 5000.*single objects"),
    ],
)
def test_pairs_that_do_not_fit(tmp_path, change, match):
    change(written(tmp_path, *pictures()))
    with pytest.raises(DataError, match=match):
        made(tmp_path, masks=tmp_path / "masks")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "masks"]


def test_an_image_that_cannot_be_read_is_listed(tmp_path):
    written(tmp_path, *pictures())
    (tmp_path / "images/3.png").write_bytes(b"no picture")
    shards = made(tmp_path, masks=tmp_path / "masks")
    assert [one.source for one in shards.manifest.unreadable] == ["3.png"] and sum(shards.shard_rows) == COUNT - 1


def test_nothing_is_labelled(tmp_path):
    images, masks = pictures()
    written(tmp_path, images, np.full_like(masks, 255))
    with pytest.raises(DataError, match="no mask has a label below 255"):
        made(tmp_path, masks=tmp_path / "masks")


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"labels": "x"}, "--labels: masks are the labels"),
        ({"per_class": 2}, "--per-class"),
        ({"inputs": ("a",)}, "--input and --target name columns of Parquet"),
    ],
)
def test_options_that_say_nothing_here(tmp_path, more, match):
    written(tmp_path, *pictures())
    with pytest.raises(ConfigError, match=match):
        made(tmp_path, masks=tmp_path / "masks", **more)


@pytest.mark.parametrize("task", [None, "regression"])
def test_masks_of_another_task(task):
    with pytest.raises(ConfigError, match="--masks and --palette are for images with masks"):
        wanted_of(Options(palette="0=a"), task, (), ())

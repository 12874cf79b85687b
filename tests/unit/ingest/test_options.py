from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from pictures import make_tree
from PIL import Image

from evoray.data import ArrowDataset, ImageTransform, Manifest
from evoray.errors import ConfigError, DataError
from evoray.ingest.options import Options, chosen, ingest
from evoray.runtime.progress import Progress


class Told(Progress):
    def __init__(self):
        self.calls = []

    def stage(self, name, total, unit="evaluations"):
        self.calls.append((name, total, unit))

    def advance(self, count):
        self.calls.append(count)

    def note(self, text):
        self.calls.append(text)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"resize": 256, "crop": 224, "interpolation": "bilinear", "channels": 3}),
        (
            {"resize": "20", "crop": 16, "interpolation": "bicubic"},
            {"resize": 20, "crop": 16, "interpolation": "bicubic"},
        ),
        ({"resize": "none", "channels": 1}, {"resize": None, "crop": None, "channels": 1}),
        ({"decoder": "torchvision"}, {"decoder": "torchvision"}),
    ],
)
def test_the_transform_is_that_of_the_options(options, expected):
    assert chosen(Options(**options))[0] == ImageTransform(**expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 2}, "--channels 2: give 1 or 3"),
        ({"interpolation": "nearest"}, "--interpolation nearest: give bilinear or bicubic"),
        ({"decoder": "opencv"}, "--decoder opencv: give pil or torchvision"),
        ({"resize": "large"}, "--resize large: give the shorter side in pixels, or none"),
        ({"resize": "0"}, "--resize 0: give"),
        ({"resize": "-5"}, "--resize -5: give"),
        ({"resize": "2.5"}, r"--resize 2\.5: give"),
    ],
)
def test_an_option_that_is_wrong_is_named_with_what_is_right(options, message):
    with pytest.raises(ConfigError, match=message):
        chosen(Options(**options))[0]


def config(path, parent):
    path.write_text(f'[parent]\n{parent}\n[data]\npath = "mock:"\n')
    return path


def test_for_takes_the_parents_own_transform(tmp_path):
    """These weights want 232 pixels, and no option says otherwise."""
    path = config(tmp_path / "c.toml", 'source = "torchvision"\nname = "resnet50"\nweights = "IMAGENET1K_V2"')
    found = chosen(Options(config=path, resize="20", decoder="torchvision"))[0]
    assert (found.resize, found.crop, found.interpolation) == (232, 224, "bilinear")
    assert (found.antialias, found.channels, found.decoder) == (True, 3, "torchvision")


def test_for_a_parent_without_a_transform_says_so(tmp_path):
    parent = 'source = "module"\nname = "evoray.models.small:cnn"\nweights = "random"'
    with pytest.raises(ConfigError, match=r"brings no resize or crop\. Give --resize and --crop"):
        chosen(Options(config=config(tmp_path / "c.toml", parent)))[0]


SMALL = {"resize": "20", "crop": 16, "workers": 1}


def test_what_was_made_is_reported(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=3)
    (tree / "class0" / "bad.png").write_text("text")
    told = Told()
    report = ingest(str(tree), tmp_path / "shards", Options(shard_size=4, **SMALL), told)
    manifest = Manifest.read(tmp_path / "shards")
    assert (report["rows"], report["classes"], report["shards"], report["digest"]) == (9, 3, 3, manifest.digest)
    assert [bad["source"] for bad in report["unreadable"]] == ["class0/bad.png"]
    assert report["images_per_s"] > 0
    *said, _ = told.calls[: told.calls.index(("ingest", 10, "images")) + 1]
    assert said == [
        f"looking at {tree}",
        "class folders, sorted as ImageFolder sorts them",
        "10 images of 3 classes. First: class0/0.png is class0; class0/1.png is class0; class0/2.png is class0",
        "images a class: class0: 4, class1: 3, class2: 3",
    ]
    assert sum(told.calls[len(said) + 1 :]) == 10


def test_every_option_reaches_the_shards(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=4)
    ingest(str(tree), tmp_path / "shards", Options(per_class=2, seed=3, shard_size=5, **SMALL), Progress())
    manifest = Manifest.read(tmp_path / "shards")
    assert (manifest.rows, manifest.per_class, manifest.order_seed) == (6, 2, 3)
    assert [entry.rows for entry in manifest.shards] == [5, 1]


MODULE = """
import numpy as np
def pictures():
    return [(np.full((4, 4), 40 * number, np.uint8), number) for number in range(3)]
"""


def test_a_function_of_the_users_returns_a_dataset(tmp_path, monkeypatch):
    (tmp_path / "user_pictures.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    options = Options(resize="none", channels=1)
    assert ingest("user_pictures:pictures", tmp_path / "shards", options, Progress())["rows"] == 3
    shard = ArrowDataset(tmp_path / "shards").load(0)
    assert {int(label): int(image[0, 0, 0]) for image, label in zip(shard.images, shard.labels, strict=True)} == {
        number: 40 * number for number in range(3)
    }
    assert np.all(shard.images == shard.images[:, :, :1, :1])


def test_a_path_with_a_colon_is_a_path(tmp_path):
    tree = make_tree(tmp_path / "a:tree", per_class=1)
    assert ingest(str(tree), tmp_path / "shards", Options(**SMALL), Progress())["rows"] == 3


def test_a_backend_that_does_not_exist_is_named(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=1)
    with pytest.raises(ConfigError, match="--backend spark: give local or ray"):
        ingest(str(tree), tmp_path / "shards", Options(backend="spark", **SMALL), Progress())
    assert not (tmp_path / "shards").exists()


def numbered(tmp_path, text):
    """Twelve grey images, the brighter the larger their number, and a list of their labels."""
    (tmp_path / "images").mkdir()
    for number in range(12):
        Image.new("L", (4, 4), 20 * number).save(tmp_path / "images" / f"my image {number}.png")
    (tmp_path / "list.csv").write_text(text)
    return Options(resize="none", channels=1, workers=1, labels=tmp_path / "list.csv")


def test_a_list_with_a_header_and_numbers_gives_every_image_its_own_number(tmp_path):
    text = "filename,label\n" + "".join(f"my image {number}.png,{number}.0\n" for number in range(12))
    told = Told()
    ingest(str(tmp_path / "images"), tmp_path / "shards", numbered(tmp_path, text), told)
    dataset = ArrowDataset(tmp_path / "shards")
    assert dataset.classes == tuple(map(str, range(12)))
    shard = dataset.load(0)
    assert [int(image[0, 0, 0]) for image in shard.images] == [20 * int(label) for label in shard.labels]
    assert told.calls[1] == (
        "list of labels list.csv: commas between columns, a header; files from column filename, "
        "labels from column label"
    )
    assert told.calls[3].startswith("12 images of 12 classes. First: my image 0.png is 0; my image 1.png is 1;")


def test_columns_are_asked_for_by_name(tmp_path):
    text = "label,kind,path\n" + "".join(f"x,{number % 2},my image {number}.png\n" for number in range(12))
    options = replace(numbered(tmp_path, text), label_column="kind", file_column="path")
    assert ingest(str(tmp_path / "images"), tmp_path / "shards", options, Progress())["classes"] == 2


def test_what_is_refused_leaves_nothing_behind(tmp_path):
    options = numbered(tmp_path, "filename,label\n" + "".join(f"my image {n}.png,\n" for n in range(12)))
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(DataError, match="line 2 has the label ''"):
        ingest(str(tmp_path / "images"), tmp_path / "shards", options, Progress())
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("body", "options", "error", "message"),
    [
        ("raise OSError('no disk\\x1b[2J')", {}, DataError, r"user_own:own raised OSError: no disk\\x1b\[2J"),
        ("return 1 / 0", {}, DataError, "user_own:own raised ZeroDivisionError"),
        ("return None", {}, DataError, "NoneType has no length"),
        ("return [(0, [1, 0])]", {}, DataError, "one-hot, or several labels"),
        ("return [(0, 0)]", {"label_column": "x"}, ConfigError, "--label-column: .* which brings its own labels"),
    ],
)
def test_a_function_of_the_users_that_fails_is_one_message(body, options, error, message, tmp_path, monkeypatch):
    (tmp_path / "user_own.py").write_text(f"def own():\n    {body}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "user_own", raising=False)
    with pytest.raises(error, match=message):
        ingest("user_own:own", tmp_path / "shards", Options(**options), Progress())


def test_links_out_of_a_tree_are_opened_where_that_is_said(tmp_path):
    tree = make_tree(tmp_path / "tree", per_class=1)
    (tmp_path / "links").mkdir()
    for folder in tree.iterdir():
        (tmp_path / "links" / folder.name).symlink_to(folder)
    with pytest.raises(DataError, match="links that leave the tree"):
        ingest(str(tmp_path / "links"), tmp_path / "shards", Options(**SMALL), Progress())
    found, same = (
        ingest(str(root), tmp_path / f"of-{root.name}", Options(follow_links=True, **SMALL), Progress())
        for root in (tmp_path / "links", tree)
    )
    assert found["digest"] == same["digest"]


def test_lines_that_count_and_labels_that_are_classes_reach_the_shards(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (40, 40)).save(tmp_path / "images" / name)
    lines = "file,tags,split\na.png,x y,train\nb.png,x z,test\nc.png,x z,train\n"
    (tmp_path / "images" / "labels.csv").write_text(lines)
    options = Options(only="split=train", as_classes=True, **SMALL)
    report = ingest(str(tmp_path / "images"), tmp_path / "shards", options, Progress())
    assert (report["rows"], report["classes"]) == (2, 2)
    with pytest.raises(DataError, match="called tags"):
        ingest(str(tmp_path / "images"), tmp_path / "others", Options(only="split=train", **SMALL), Progress())
    for unused in ({"only": "split=train"}, {"as_classes": True}):
        with pytest.raises(ConfigError, match="returns a Dataset, which brings its own labels"):
            ingest("evoray.ingest:none", tmp_path / "others", Options(**unused), Progress())

"""Every form in which users have images gives what the ImageFolder tree of the same images gives."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from PIL import Image

from evoray.data import ArrowDataset, ImageTransform
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_folder, ingest_source
from evoray.ingest.sources import open_source

SMALL = ImageTransform(resize=10, crop=8)
SYNSETS = ("n01440764", "n01443537", "n02129165")
DEVKIT_IDS = {SYNSETS[0]: 3, SYNSETS[1]: 1, SYNSETS[2]: 2}
"""In another order than the synsets, as the real devkit's are."""
IMAGES = 12


def jpeg(number):
    pixels = np.random.default_rng(number).integers(256, size=(12 + number, 20, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


FILES = {f"ILSVRC2012_val_{number + 1:08d}.JPEG": jpeg(number) for number in range(IMAGES)}
TRUTH = {name: SYNSETS[number * 2 % 3] for number, name in enumerate(FILES)}


def by_content(directory):
    """(pixels, class name) of every stored image."""
    dataset = ArrowDataset(directory)
    shards = [dataset.load(index) for index in range(len(dataset.shard_rows))]
    return {
        (image.tobytes(), dataset.classes[label])
        for shard in shards
        for image, label in zip(shard.images, shard.labels, strict=True)
    }


@pytest.fixture
def tree(tmp_path):
    for name, content in FILES.items():
        folder = tmp_path / "tree" / TRUTH[name]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return tmp_path / "tree"


@pytest.fixture
def expected(tree, tmp_path):
    ingest_folder(tree, tmp_path / "expected", SMALL, workers=1)
    return by_content(tmp_path / "expected")


def make_tar(path, contents, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def make_devkit(path):
    """meta.mat as it is in ILSVRC2012_devkit_t12: leaves first, then inner synsets."""
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    rows = [(number, synset, "words", "gloss", 0) for synset, number in DEVKIT_IDS.items()]
    table = np.array([*rows, (4, "n00001740", "entity", "gloss", 3)], dtype=kinds)
    file = io.BytesIO()
    scipy.io.savemat(file, {"synsets": table.reshape(-1, 1)})
    truth = "".join(f"{DEVKIT_IDS[TRUTH[name]]}\n" for name in sorted(FILES))
    contents = {
        "ILSVRC2012_devkit_t12/data/meta.mat": file.getvalue(),
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
    }
    return make_tar(path, contents, "w:gz")


def flat(root, **lists):
    root.mkdir()
    for name, content in FILES.items():
        (root / name).write_bytes(content)
    for name, text in lists.items():
        (root / name.replace("__", ".")).write_text(text)
    return root


def unpack_devkit(tmp_path):
    with tarfile.open(make_devkit(tmp_path / "kit.tar.gz")) as tar:
        tar.extractall(tmp_path, filter="data")


def flat_by_name(tmp_path):
    return flat(tmp_path / "flat", val__txt="".join(f"{name} {TRUTH[name]}\n" for name in reversed(FILES)))


def flat_in_order(tmp_path):
    return flat(tmp_path / "flat", synsets__txt="".join(f"{TRUTH[name]}\n" for name in sorted(FILES)))


def flat_of_kaggle(tmp_path):
    rows = "".join(f"{name.removesuffix('.JPEG')},{TRUTH[name]} 1 2 3 4 {TRUTH[name]} 5 6 7 8\n" for name in FILES)
    return flat(tmp_path / "flat", LOC_val_solution__csv=f"ImageId,PredictionString\n{rows}")


def flat_with_ground_truth(tmp_path):
    unpack_devkit(tmp_path)
    truth = "ILSVRC2012_validation_ground_truth.txt"
    (tmp_path / truth).write_bytes((tmp_path / "ILSVRC2012_devkit_t12" / "data" / truth).read_bytes())
    return flat(tmp_path / "flat")


def flat_beside_the_devkit(tmp_path):
    make_devkit(tmp_path / "ILSVRC2012_devkit_t12.tar.gz")
    return flat(tmp_path / "flat")


def flat_beside_the_unpacked_devkit(tmp_path):
    unpack_devkit(tmp_path)
    return flat(tmp_path / "flat")


def validation_tar(tmp_path):
    make_devkit(tmp_path / "ILSVRC2012_devkit_t12.tar.gz")
    return make_tar(tmp_path / "ILSVRC2012_img_val.tar", dict(reversed(FILES.items())))


def training_tar(tmp_path):
    inner = {}
    for synset in reversed(SYNSETS):
        own = {name: content for name, content in FILES.items() if TRUTH[name] == synset}
        inner[f"{synset}.tar"] = make_tar(tmp_path / "inner", own).read_bytes()
    (tmp_path / "tars").mkdir()
    make_tar(tmp_path / "tars" / "ILSVRC2012_img_train.tar", inner)
    return tmp_path / "tars"


def webdataset(tmp_path):
    (tmp_path / "web").mkdir()
    for half in range(2):
        contents = {}
        for number, (name, content) in enumerate(FILES.items()):
            if number % 2 == half:
                key = f"some/folder.d/{name.removesuffix('.JPEG')}"
                contents[f"{key}.jpg"] = content
                contents[f"{key}.json"] = json.dumps({"label": TRUTH[name], "width": 20}).encode()
        make_tar(tmp_path / "web" / f"val-{half:03d}.tar", contents)
    return f"{tmp_path}/web/val-{{000..001}}.tar"


def parquet(tmp_path):
    """Two files and several row groups, as Hugging Face writes them; labels out of the names' order."""
    names = tuple(reversed(SYNSETS))
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for half in range(2):
        own = list(FILES)[half::2]
        images = [{"bytes": FILES[name], "path": name} for name in own]
        table = pa.table({"image": images, "label": [names.index(TRUTH[name]) for name in own]})
        path = tmp_path / "hub" / "data" / f"validation-{half:05d}-of-00002.parquet"
        pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=2)
    return tmp_path / "hub"


def parquet_of_bytes(tmp_path):
    table = pa.table({"id": list(range(IMAGES)), "img": list(FILES.values()), "label": list(TRUTH.values())})
    pq.write_table(table, tmp_path / "some.parquet")
    return tmp_path / "some.parquet"


FORMS = [
    flat_by_name,
    flat_in_order,
    flat_of_kaggle,
    flat_with_ground_truth,
    validation_tar,
    training_tar,
    webdataset,
    parquet,
    parquet_of_bytes,
]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_what_the_tree_gives(form, expected, tmp_path):
    source = open_source(str(form(tmp_path)))
    digests = {
        ingest_source(source, tmp_path / f"by{workers}", SMALL, workers=workers, shard_size=5).digest
        for workers in (1, 2)
    }
    assert len(digests) == 1
    assert by_content(tmp_path / "by1") == expected
    assert sorted(tmp_path.glob(".*")) == [], "no copy is left behind"


def test_the_training_tar_is_the_tree_to_the_byte(tree, tmp_path):
    one = ingest_folder(tree, tmp_path / "a", SMALL, workers=1)
    other = ingest_source(open_source(str(training_tar(tmp_path))), tmp_path / "b", SMALL, workers=1)
    assert one == other


def test_numbered_labels_are_the_numbers(tmp_path):
    root = flat(tmp_path / "flat", val__txt="".join(f"{name} {number}\n" for number, name in enumerate(FILES)))
    source = open_source(str(root))
    assert source.classes == tuple(str(number) for number in range(IMAGES))
    assert list(source.labels) == list(range(IMAGES))


def test_labels_are_taken_from_a_named_list(tmp_path):
    root = flat(tmp_path / "flat")
    (tmp_path / "elsewhere").mkdir()
    listing = tmp_path / "elsewhere" / "mine.csv"
    listing.write_text("".join(f"{name},{TRUTH[name]}\n" for name in FILES))
    assert open_source(str(root), labels=listing).classes == SYNSETS


def flat_with_a_devkit_that_is_named(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    return flat(tmp_path / "flat"), make_devkit(tmp_path / "elsewhere" / "kit.tar.gz")


@pytest.mark.parametrize(
    "form", [flat_beside_the_devkit, flat_beside_the_unpacked_devkit, flat_with_a_devkit_that_is_named]
)
def test_a_flat_folder_takes_its_labels_from_the_devkit(form, tmp_path):
    made = form(tmp_path)
    root, devkit = made if isinstance(made, tuple) else (made, None)
    source = open_source(str(root), labels=devkit)
    assert source.classes == SYNSETS
    found = {name: source.classes[label] for name, label in zip(source.names, source.labels, strict=True)}
    assert found == TRUTH


def _devkit_without_truth(tmp_path):
    unpack_devkit(tmp_path)
    next(tmp_path.rglob("ILSVRC2012_validation_ground_truth.txt")).unlink()
    return flat(tmp_path / "flat")


def _two_splits(tmp_path):
    first = next((parquet(tmp_path) / "data").iterdir())
    first.with_name("train-00000-of-00001.parquet").write_bytes(first.read_bytes())
    return tmp_path / "hub"


def _both_tars(tmp_path):
    for name in ("ILSVRC2012_img_val.tar", "ILSVRC2012_img_train.tar"):
        make_tar(tmp_path / name, {})
    return tmp_path


def _no_devkit(tmp_path):
    (tmp_path / "x").mkdir()
    return make_tar(tmp_path / "x" / "ILSVRC2012_img_val.tar", FILES)


def _cut_tar(tmp_path):
    path = make_tar(tmp_path / "cut.tar", {"a.cls": b"1", "a.jpg": bytes(5000)})
    path.write_bytes(path.read_bytes()[:3000])
    return path


def _parquet(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "bad.parquet")
    return tmp_path / "bad.parquet"


def _text(tmp_path, name):
    (tmp_path / name).write_text("text")
    return tmp_path / name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda at: at / "absent", "no such directory"),
        (lambda at: flat(at / "flat"), "no list of their labels.*--labels"),
        (lambda at: flat(at / "flat", val__txt="a 1\nb 2\n"), "no label for ILSVRC2012_val_00000001.JPEG"),
        (lambda at: flat(at / "flat", val__txt="1\n2\n"), "2 labels for the 12 images"),
        (lambda at: flat(at / "flat", val__txt=""), "empty"),
        (lambda at: flat(at / "flat", val__txt="a.JPEG 1\na.JPEG 2\n"), "line 2: a.JPEG has two labels"),
        (lambda at: flat(at / "flat", val__txt="a.JPEG 1\nb.JPEG\n"), "line 2: 'b.JPEG' has no label"),
        (
            lambda at: flat(at / "flat", ILSVRC2012_validation_ground_truth__txt="1\n" * 12),
            "devkit_t12.tar.gz .*neither beside it nor above it",
        ),
        (_devkit_without_truth, "devkit_t12: no ILSVRC2012_validation_ground_truth.txt in it"),
        (_two_splits, r"several splits \(train, validation\).*train-\*"),
        (_both_tars, "Name the one to ingest"),
        (_no_devkit, "devkit_t12.tar.gz"),
        (_cut_tar, "cut short|damaged"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x"}), "a.jpg has no label beside it"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x", "a.json": b"{}"}), "a.json holds no label"),
        (lambda at: make_tar(at / "a.tar", {"a.txt": b"x"}), "no images in its tars"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x"}, "w:gz"), "no plain tar.*Unpack"),
        (lambda at: f"{at}/w-{{0..2}}.tar", "w-0.tar: no such file"),
        (lambda at: _parquet(at, label=[1]), "no column of image bytes"),
        (lambda at: _parquet(at, image=[b"x"]), "no column of labels"),
        (lambda at: _parquet(at, image=[b"x"], label=[None]), "row 0 has the label None"),
        (lambda at: _parquet(at, image=[b"x"], label=[-1]), "row 0 has the label -1"),
        (lambda at: _text(at, "a.parquet"), "no Parquet file"),
    ],
)
def test_what_cannot_be_read_is_named(make, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(str(make(tmp_path)))


def test_a_format_that_does_not_exist_is_named(tree):
    with pytest.raises(ConfigError, match="--format zip: give one of ilsvrc, parquet"):
        open_source(str(tree), "zip")


def test_a_row_without_bytes_is_listed(tmp_path):
    _parquet(tmp_path, image=[next(iter(FILES.values())), None], label=[0, 1])
    manifest = ingest_source(open_source(str(tmp_path / "bad.parquet")), tmp_path / "shards", SMALL, workers=1)
    assert [one.source for one in manifest.unreadable] == ["bad.parquet/1"]

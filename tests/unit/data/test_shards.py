"""Shards from real and made pictures: what is stored is what the reference transform gives, whoever wrote it."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.transforms import functional

from evoray.data import ArrowDataset, ImageTransform, Manifest, normalise, open_dataset, place_of, verify
from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_dataset, ingest_folder

SMALL = ImageTransform(resize=20, crop=16)
PHOTOGRAPHS = sorted((Path(importlib.util.find_spec("foolbox").origin).parent / "data").glob("imagenet_*"))


def make_tree(root, per_class=9, classes=3, seed=0):
    random = np.random.default_rng(seed)
    for label in range(classes):
        (root / f"class{label}").mkdir(parents=True)
        for number in range(per_class):
            size = (int(random.integers(20, 40)), int(random.integers(20, 40)), 3)
            Image.fromarray(random.integers(256, size=size, dtype=np.uint8)).save(
                root / f"class{label}" / f"{number}.png"
            )
    return root


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


def test_every_image_is_there_once_with_its_label(tree, tmp_path):
    ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=10, workers=1)
    dataset = open_dataset(str(tmp_path / "shards"))
    assert (dataset.shard_rows, dataset.image_shape) == ((10, 10, 7), (3, 16, 16))
    seen = {}
    for index in range(3):
        shard = dataset.load(index)
        for image, label, source in zip(shard.images, shard.labels, shard.sources, strict=True):
            assert source.startswith(f"class{label}/")
            assert np.array_equal(image, SMALL(Image.open(tree / source)))
            seen[source] = label
        assert len(set(shard.labels.tolist())) > 1, "shards are class mixed"
    assert len(seen) == 27


def test_the_bytes_do_not_depend_on_the_workers(tree, tmp_path):
    for workers in (1, 2):
        ingest_folder(tree, tmp_path / f"by{workers}", SMALL, shard_size=5, workers=workers)
    files = sorted(path.name for path in (tmp_path / "by1").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "by2").iterdir())
    for name in files:
        assert (tmp_path / "by1" / name).read_bytes() == (tmp_path / "by2" / name).read_bytes()


def test_a_subset_per_class_is_the_seeds(tree, tmp_path):
    chosen = []
    for number, seed in enumerate((1, 1, 2)):
        ingest_folder(tree, tmp_path / str(number), SMALL, per_class=4, seed=seed, workers=1)
        shard = ArrowDataset(tmp_path / str(number)).load(0)
        assert np.bincount(shard.labels).tolist() == [4, 4, 4]
        chosen.append(shard.sources)
    assert chosen[0] == chosen[1]
    assert set(chosen[0]) != set(chosen[2])


class Records(torch.utils.data.Dataset):
    classes = ("even", "odd")

    def __init__(self, kind):
        random = np.random.default_rng(0)
        self.pixels = [random.integers(256, size=(8, 8), dtype=np.uint8) for _ in range(7)]
        self.kind = kind

    def __len__(self):
        return 7

    def __getitem__(self, index):
        pixels = self.pixels[index]
        makers = {
            "pil": lambda: Image.fromarray(pixels),
            "hw": lambda: pixels,
            "chw": lambda: torch.from_numpy(pixels[None]),
            "hwc": lambda: pixels[:, :, None],
            "float": lambda: pixels / 255,
        }
        return makers[self.kind](), index % 2


@pytest.mark.parametrize("kind", ["pil", "hw", "chw", "hwc"])
def test_a_torch_dataset_becomes_shards(kind, tmp_path):
    records = Records(kind)
    manifest = ingest_dataset(records, tmp_path / "shards", ImageTransform(resize=None, crop=None, channels=1))
    shard = ArrowDataset(tmp_path / "shards").load(0)
    assert manifest.classes == ("even", "odd")
    for image, label, source in zip(shard.images, shard.labels, shard.sources, strict=True):
        index = int(source.rpartition("/")[2])
        assert label == index % 2
        assert np.array_equal(image[0], records.pixels[index])


def test_normalised_records_are_refused(tmp_path):
    with pytest.raises(DataError, match="uint8"):
        ingest_dataset(Records("float"), tmp_path / "shards", ImageTransform(resize=None, crop=None))
    assert list(tmp_path.iterdir()) == []


WEIGHTS = [
    "AlexNet_Weights.IMAGENET1K_V1",
    "ResNet50_Weights.IMAGENET1K_V1",
    "ResNet50_Weights.IMAGENET1K_V2",
    "EfficientNet_B1_Weights.IMAGENET1K_V2",
    "EfficientNet_B3_Weights.IMAGENET1K_V1",
    "Inception_V3_Weights.IMAGENET1K_V1",
    "ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
    "Swin_T_Weights.IMAGENET1K_V1",
    "Swin_V2_T_Weights.IMAGENET1K_V1",
    "ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1",
    "RegNet_Y_400MF_Weights.IMAGENET1K_V2",
    "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
]


@pytest.mark.parametrize("name", WEIGHTS)
def test_shard_and_normalise_equal_the_reference_transform(name, tmp_path):
    family, _, member = name.partition(".")
    reference = getattr(torchvision.models, family)[member].transforms()
    transform = ImageTransform(
        resize=reference.resize_size[0],
        crop=reference.crop_size[0],
        interpolation=reference.interpolation.value,
        antialias=bool(reference.antialias),
    )
    root = tmp_path / "photographs" / "all"
    root.mkdir(parents=True)
    for file in PHOTOGRAPHS[:3]:
        shutil.copy(file, root)
    ingest_folder(root.parent, tmp_path / "shards", transform, workers=1)
    shard = ArrowDataset(tmp_path / "shards").load(0)
    batch = normalise(torch.from_numpy(shard.images.copy()), reference.mean, reference.std, torch.float32)
    for image, source in zip(batch, shard.sources, strict=True):
        with Image.open(root.parent / source) as picture:
            assert torch.equal(image, reference(picture.convert("RGB")))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cmyk.jpg", lambda picture: picture.convert("CMYK")),
        ("grey.jpg", lambda picture: picture.convert("L")),
        ("png.JPEG", lambda picture: picture),
        ("palette.png", lambda picture: picture.convert("P")),
        ("alpha.png", lambda picture: picture.convert("RGBA")),
    ],
)
def test_odd_files_are_read_as_the_reference_reads_them(name, make, tmp_path):
    picture = Image.open(PHOTOGRAPHS[0]).convert("RGB").resize((64, 48))
    (tmp_path / "tree" / "a").mkdir(parents=True)
    path = tmp_path / "tree" / "a" / name
    content = io.BytesIO()
    make(picture).save(content, "PNG" if "png" in name else path.suffix[1:].upper().replace("JPG", "JPEG"))
    path.write_bytes(content.getvalue())
    ingest_folder(tmp_path / "tree", tmp_path / "shards", SMALL, workers=1)
    found = ArrowDataset(tmp_path / "shards").load(0).images[0]
    expected = functional.center_crop(
        functional.resize(Image.open(path).convert("RGB"), [20], antialias=True), [16, 16]
    )
    assert np.array_equal(found, functional.pil_to_tensor(expected).numpy())


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_verify_finds_any_flipped_byte(tree, tmp_path, scheme):
    """In a directory and at a URI."""
    ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=10, workers=1)
    place = place_of(f"{scheme}{tmp_path}/shards")
    assert verify(place).damaged == ()
    for path in sorted((tmp_path / "shards").glob("*.arrow")):
        whole = path.read_bytes()
        for position in (0, len(whole) // 3, len(whole) - 1):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            (message,) = verify(place).damaged
            assert message.startswith(f"{place}/{path.name}: damaged")
            with pytest.raises(DataError, match=path.name):
                ArrowDataset(tmp_path / "shards").load(int(path.stem[-5:]))
        path.write_bytes(whole)
    (tmp_path / "shards" / "shard-00001.arrow").unlink()
    assert f"{place}/shard-00001.arrow: cannot be read" in verify(place).damaged[0]


@pytest.mark.parametrize("damage", ["{", '{"format": 1}', None])
def test_a_damaged_manifest_is_named(tree, tmp_path, damage):
    ingest_folder(tree, tmp_path / "shards", SMALL, workers=1)
    path = tmp_path / "shards" / "manifest.json"
    if damage is None:
        values = json.loads(path.read_text())
        values["rows"] += 1
        damage = json.dumps(values)
    path.write_text(damage)
    with pytest.raises(DataError, match=r"manifest\.json"):
        open_dataset(str(tmp_path / "shards"))


@pytest.mark.parametrize(
    "edit",
    [
        lambda values: values.update(image_shape=[3, 8, 8]),
        lambda values: values.update(classes=["class0"]),
        lambda values: (values["shards"][0].update(rows=26), values.update(rows=26)),
        lambda values: values["transform"].update(channels=2),
    ],
)
def test_an_edited_manifest_gives_no_wrong_pictures_or_labels(edit, tree, tmp_path):
    ingest_folder(tree, tmp_path / "shards", SMALL, workers=1)
    path = tmp_path / "shards" / "manifest.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"manifest\.json"):
        ArrowDataset(tmp_path / "shards").load(0)


@pytest.mark.parametrize("wrong", [{"interpolation": "bilinaer"}, {"channels": 2}])
def test_a_transform_that_does_not_exist_is_refused(wrong):
    with pytest.raises(DataError, match=str(next(iter(wrong.values())))):
        ImageTransform(**wrong)


def test_a_mean_for_other_channels_is_refused():
    with pytest.raises(DataError, match="1 channels"):
        normalise(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), (0.5,) * 3, (0.5,) * 3, torch.float32)


def test_shards_are_batches_of_256_uncompressed(tmp_path):
    manifest = ingest_dataset(
        [(Image.new("L", (2, 2), i % 256), 0) for i in range(600)],
        tmp_path / "shards",
        ImageTransform(resize=None, crop=None, channels=1),
    )
    content = (tmp_path / "shards" / manifest.shards[0].file).read_bytes()
    file = pa.ipc.open_file(io.BytesIO(content))
    assert [file.get_batch(i).num_rows for i in range(file.num_record_batches)] == [256, 256, 88]
    assert file.schema.types == [pa.binary(4), pa.int64(), pa.string()]
    shard = ArrowDataset(tmp_path / "shards").load(0)
    assert [int(image[0, 0, 0]) for image in shard.images] == [int(s[7:]) % 256 for s in shard.sources]
    assert content.find(file.read_all().column("image").chunk(0).buffers()[1].to_pybytes()) > 0


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "text.jpg").write_text("text")
    with pytest.raises(DataError, match="none of 1 files"):
        ingest_folder(tmp_path / "tree", tmp_path / "shards", SMALL, workers=1)


def test_mock_images_are_the_same_everywhere_and_of_any_size():
    spec = "mock:images=70,size=8,classes=5,channels=1,seed=3,shard_size=32"
    first, again = open_dataset(spec), open_dataset(spec)
    assert first.shard_rows == (32, 32, 6)
    assert np.array_equal(first.load(2).images, again.load(2).images)
    assert not np.array_equal(first.load(0).images, first.load(1).images)
    assert not np.array_equal(first.load(0).images, open_dataset(spec.replace("seed=3", "seed=4")).load(0).images)
    assert first.load(1).labels.max() < 5


@pytest.mark.parametrize("spec", ["mock:images", "mock:images=0", "mock:colour=red", "mock:size=x"])
def test_a_malformed_mock_is_refused(spec):
    with pytest.raises(ConfigError, match="mock:"):
        open_dataset(spec)


def test_the_manifest_says_what_was_done(tree, tmp_path):
    manifest = ingest_folder(tree, tmp_path / "shards", SMALL, workers=1, seed=5)
    assert manifest == Manifest.read(tmp_path / "shards")
    assert manifest.decoder.startswith("pillow ")
    assert manifest.transform == SMALL
    assert manifest.order_seed == 5


def test_ingest_records_the_task_and_its_columns(tree, tmp_path):
    manifest = ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=10, workers=1)
    assert manifest.records.task == "image-classification"
    assert manifest.records.columns == {"image": "fixed_size_binary", "label": "int64", "source": "string"}
    assert open_dataset(str(tmp_path / "shards")).records == manifest.records


def test_a_task_whose_records_are_no_images_is_not_ingested(tree, tmp_path):
    (tmp_path / "texts.py").write_text(
        "from evoray.data.schema import Schema\n"
        "from evoray.tasks.image_classification import ImageClassification\n"
        "class Texts(ImageClassification):\n"
        "    schema = Schema(task='texts', columns={'text': 'string'}, target='text')\n"
    )
    with pytest.raises(ConfigError, match=r"text \(string\), which ingest does not write"):
        ingest_folder(tree, tmp_path / "shards", SMALL, workers=1, task="texts:Texts", config_dir=tmp_path)
    assert not (tmp_path / "shards").exists()

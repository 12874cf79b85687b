"""The same twelve images in every form in which users have images."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from PIL import Image

from evoray.data import ArrowDataset

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

"""Every form in which users have images is known by its looks, and gives what the ImageFolder tree of them gives."""

from __future__ import annotations

import gzip
import io
import pickle
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import (
    FILES,
    FORMS,
    IMAGES,
    SYNSETS,
    TRUTH,
    by_content,
    flat_by_name,
    jpeg,
    make_tar,
    parquet,
    parquet_of_bytes,
    training_tar,
    webdataset,
)
from pictures import SMALL

from evoray.errors import ConfigError, DataError
from evoray.ingest.ingest import ingest_folder, ingest_source
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import FORMATS, open_source
from evoray.ingest.understood import understood


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


def test_a_format_that_does_not_exist_is_named(tree):
    with pytest.raises(ConfigError, match="--format zip: give one of ilsvrc, parquet"):
        open_source(str(tree), "zip")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (flat_by_name, "flat"),
        (training_tar, "ilsvrc"),
        (webdataset, "webdataset"),
        (lambda tmp_path: tmp_path / "web", "webdataset"),
        (parquet, "parquet"),
        (parquet_of_bytes, "parquet"),
        (lambda tmp_path: tmp_path / "tree", "folder"),
    ],
)
def test_the_first_format_that_finds_itself_is_taken(form, kind, tree, tmp_path):
    webdataset(tmp_path) if form is not webdataset else None
    name = str(form(tmp_path))
    assert next(known for known, one in FORMATS.items() if one.found(name)) == kind


def test_a_named_format_is_not_guessed(tree, tmp_path):
    root = flat_by_name(tmp_path)
    assert len(open_source(str(root), "flat").names) == IMAGES
    with pytest.raises(DataError, match="no class folders"):
        open_source(str(root), "folder")
    assert open_source(str(tree), "folder").classes == SYNSETS


def test_a_folder_that_has_images_and_folders_is_a_tree(tree, tmp_path):
    (tree / "thumbnail.jpg").write_bytes(jpeg(0))
    assert len(open_source(str(tree)).names) == IMAGES


def test_a_list_of_labels_that_is_not_there_is_named(tmp_path):
    root = flat_by_name(tmp_path)
    with pytest.raises(DataError, match=r"absent\.txt: no such file\. Name the list of labels"):
        open_source(str(root), labels=tmp_path / "absent.txt")


def test_what_is_not_there_is_named(tmp_path):
    for kind in (None, *FORMATS):
        with pytest.raises(DataError, match=r"absent: no such file or folder: .* holds no absent\."):
            open_source(str(tmp_path / "absent"), kind)
    with pytest.raises(DataError, match=r"no such file\. Name ILSVRC2012_img_train\.tar"):
        open_source(str(tmp_path), "ilsvrc")


@pytest.fixture
def named(tmp_path):
    root = tmp_path / "named"
    for name in ("cat/1.jpg", "dog/2.jpg"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    "left", ["cats.tar", "cats.zip", "cats.tar.gz", "ILSVRC2012_img_val.tar", "x.parquet", "data/x.parquet", "val.txt"]
)
def test_an_archive_that_was_left_in_a_tree_is_none_of_it(left, named):
    (named / left).parent.mkdir(exist_ok=True)
    (named / left).write_bytes(b"x")
    source = open_source(str(named))
    assert source.names == ["cat/1.jpg", "dog/2.jpg"]


def test_an_archive_beside_flat_images_is_none_of_them(tmp_path):
    root = flat_by_name(tmp_path)
    (root / "all.tar").write_bytes(b"x")
    (root / ".ipynb_checkpoints").mkdir()
    (root / ".ipynb_checkpoints" / "a.jpg").touch()
    (root / "notes").mkdir()
    assert len(open_source(str(root)).names) == IMAGES


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.TGZ", "a.7z"])
def test_a_packed_archive_says_to_unpack_it(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"an archive\. Unpack it, and name the folder"):
        open_source(str(tmp_path / name))


def test_a_folder_of_images_beside_its_list_is_asked_about(tmp_path):
    root = tmp_path / "kaggle"
    (root / "images").mkdir(parents=True)
    (root / "images" / "1.jpg").touch()
    (root / "train.csv").write_text("id,label\n1,cat\n")
    with pytest.raises(DataError, match=r"name .*/kaggle/images and --labels .*/kaggle/train\.csv.*--format folder"):
        open_source(str(root))
    assert open_source(str(root), "folder").classes == ("images",)
    assert open_source(str(root / "images"), labels=root / "train.csv").classes == ("cat",)
    source = open_source(str(root), labels=root / "train.csv")
    assert (source.classes, source.names) == (("cat",), ["images/1.jpg"])


@pytest.mark.parametrize(
    ("kind", "labels", "asked", "message"),
    [
        ("folder", "val.txt", {}, "is read as folder, which brings its own labels"),
        ("webdataset", "val.txt", {}, "is read as webdataset, which brings"),
        (None, None, {"label_column": "x"}, "is read as folder, which has no columns"),
        ("ilsvrc", None, {"file_column": "x"}, "is read as ilsvrc, which has no columns"),
        (None, None, {"only": "split=train"}, "--only: .* is read as folder, which has no columns"),
        ("webdataset", None, {"only": "split=train"}, "--only: .* is read as webdataset, which has no list"),
        ("folder", None, {"as_classes": True}, "--as-classes: .* is read as folder, whose labels are classes anyway"),
        ("zi\x1b", None, {}, r"--format zi\\x1b: give one of"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(kind, labels, asked, message, named):
    (named / "val.txt").write_text("x")
    with pytest.raises(ConfigError, match=message):
        open_source(str(named), kind, named / labels if labels else None, Asked(**asked))


@pytest.mark.parametrize("kind", [None, "folder", "flat", "webdataset", "parquet", "ilsvrc"])
@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\x1b[2J", "\udcff", "~nobody", "", "/dev/null", "x/" * 3000])
def test_a_name_of_nothing_is_one_message(name, kind):
    with pytest.raises(DataError) as refused:
        open_source(name, kind)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 1500


def damaged(random, content):
    """With a few bytes changed, lost or added."""
    content = bytearray(content)
    for _ in range(random.randint(1, 5)):
        at = random.randrange(len(content))
        match random.randrange(4):
            case 0:
                content[at] = random.randrange(256)
            case 1:
                content[at] ^= 1 << random.randrange(8)
            case 2:
                del content[at : at + random.randint(1, 200)]
            case 3:
                content[at:at] = random.randbytes(random.randint(1, 20))
    return bytes(content)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_read_or_one_message(seed, tmp_path):
    """Whatever is raised is EvoRay's own, and fits a terminal."""
    random = Random(seed)
    (tmp_path / "images").mkdir()
    for number in range(6):
        (tmp_path / "images" / f"{number}.jpg").touch()
    members = {f"{number}.{kind}": b"1" for number in range(4) for kind in ("cls", "jpg")}
    whole = {
        "a.tar": make_tar(tmp_path / "a.tar", members).read_bytes()[:9216],
        "list.csv": b"filename,label\n" + b"".join(b'%d.jpg,"c %d"\n' % (number, number % 3) for number in range(6)),
    }
    for name, content in whole.items():
        for _ in range(15):
            (tmp_path / name).write_bytes(damaged(random, content))
            root, labels = (tmp_path / "images", tmp_path / name) if name == "list.csv" else (tmp_path / name, None)
            try:
                source = open_source(str(root), labels=labels)
                said = [*understood(source), *(str(source.open(record)) for record in range(len(source.names)))]
            except DataError as error:
                said = [str(error)]
            assert all(line.isprintable() and len(line) < 1500 for line in said)


def numpy_file():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def arrow_stream():
    sink = io.BytesIO()
    table = pa.table({"image": [b"x"], "label": [1]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"
PAGE = b"<!DOCTYPE html><html><title>404</title></html>"
FOREIGN = {
    "lfs": (LFS, "a pointer of Git LFS, not the file itself. .*git lfs pull"),
    "page": (PAGE, "a web page .*in its place. Download it again"),
    "error": (b"404: Not Found", r"a text \(404: Not Found\)"),
    "json": (b'{"error": 1}', "JSON or text"),
    "array": (numpy_file(), "an array of NumPy.*Save its images as picture files"),
    "arrow": (arrow_stream(), "an Arrow stream .*Make it a Parquet file: python -c"),
    "zip": (b"PK\x03\x04" + bytes(30), "a zip archive.*Unpack it first"),
    "gzip": (gzip.compress(bytes(2000)), "a gzip file.*Unpack it first"),
    "pickle": (pickle.dumps([1]), "a pickle .*not opened"),
    "picture": (jpeg(0), r"a picture \(JPEG\).*Name the folder"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5.*Save its images"),
    "empty": (b"", "an empty file.*Download it again"),
    "zeros": (bytes(2000), "a file of zeros"),
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("name", ["a.parquet", "a.tar", "a.bin", "A.PARQUET"])
def test_a_file_that_is_something_else_is_named_as_that(name, what, tmp_path):
    if (name, what) == ("a.tar", "zeros"):
        return  # a tar without files
    content, message = FOREIGN[what]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"(?s){name}: .*{message}") as refused:
        open_source(str(tmp_path / name))
    assert str(refused.value).count("\n") == 0


@pytest.mark.parametrize("name", ["a.parquet", "b.tar"])
def test_one_pointer_in_a_folder_is_named(name, tmp_path):
    form = parquet_of_bytes if name.endswith("parquet") else webdataset
    form(tmp_path)
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()] or [tmp_path]
    (folder / name).write_bytes(LFS)
    with pytest.raises(DataError, match=f"{name}: .*a pointer of Git LFS"):
        open_source(str(folder))


def test_parquet_and_tars_are_known_by_their_suffix_in_any_case(tmp_path):
    table = pa.table({"image": list(FILES.values()), "label": [TRUTH[name] for name in FILES]})
    pq.write_table(table, tmp_path / "A.Parquet")
    assert len(open_source(str(tmp_path / "A.Parquet")).names) == len(open_source(str(tmp_path)).names) == len(FILES)
    (tmp_path / "A.Parquet").rename(tmp_path / "a.pq")
    with pytest.raises(DataError, match=r"a\.pq: a Parquet file, .*Say --format parquet"):
        open_source(str(tmp_path / "a.pq"))
    assert len(open_source(str(tmp_path / "a.pq"), "parquet").names) == len(FILES)
    make_tar(tmp_path / "W.TAR", {"1.jpg": b"x", "1.cls": b"0"})
    assert len(open_source(str(tmp_path / "W.TAR")).names) == 1


@pytest.mark.parametrize(
    "pattern", ["data/train-*", "data/t*", "data/train-0000?-of-00001*", "d*/train-*", "**/train-*"]
)
def test_a_pattern_without_a_suffix_is_known_by_its_files(pattern, tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("train", "validation"):
        parquet = tmp_path / "data" / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.table({"image": [jpeg(0), jpeg(1)], "label": [0, 1]}), parquet)
    source = open_source(str(tmp_path / pattern))
    assert source.names == [f"train-00000-of-00001.parquet/{row}" for row in range(2)]
    (tmp_path / "data" / "train-notes.txt").write_text("x")
    with pytest.raises(DataError):
        open_source(str(tmp_path / "data" / "train-*"))


@pytest.mark.parametrize("folder", ["train", "default/train", "data", "data/en"])
def test_parquet_in_folders_below_is_found(folder, tmp_path):
    table = pa.table({"image": [jpeg(0), jpeg(1)], "label": [0, 1]})
    (tmp_path / folder).mkdir(parents=True)
    pq.write_table(table, tmp_path / folder / "0000.parquet")
    assert open_source(str(tmp_path)).names == ["0000.parquet/0", "0000.parquet/1"]
    (tmp_path / "validation").mkdir()
    pq.write_table(table, tmp_path / "validation" / "0000.parquet")
    if folder.endswith("train"):
        with pytest.raises(DataError, match=r"several splits \(train, validation\)\. Say --split \w+, or name one"):
            open_source(str(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "labels.txt",
        "val.txt",
        "train_labels.txt",
        "annotations.json",
        "labels.json",
        "list_attr.txt",
        "ground-truth.txt",
    ],
)
@pytest.mark.parametrize("others", [(), ("docs/paper.pdf", "README.txt", "classes.txt", "LICENSE.txt")])
def test_a_folder_of_images_beside_a_text_of_labels_is_asked_about(name, others, tmp_path):
    for other in ("images/1.jpg", name, *others):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b"")
    with pytest.raises(DataError, match=rf"one folder of images, images, and {name} beside it.*--labels .*/{name}"):
        open_source(str(tmp_path))
    assert open_source(str(tmp_path), "folder").classes[-1] == "images"


@pytest.mark.parametrize(
    "files",
    [
        ("images/1.jpg", "README.txt"),
        ("images/1.jpg", "classes.txt"),
        ("images/1.jpg", "class_names.txt", "LICENSE"),
        ("images/1.jpg", "label_map.json"),
        ("images/1.jpg", "info.json"),
        ("cat/1.jpg", "dog/1.jpg", "labels.txt"),
    ],
)
def test_texts_that_are_no_list_ask_nothing(files, tmp_path):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    assert len(open_source(str(tmp_path)).classes) == sum("/" in file for file in files)


def test_a_table_is_named_before_a_text(tmp_path):
    (tmp_path / "images").mkdir()
    for file in ("images/1.jpg", "all_labels.txt", "z.csv"):
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(DataError, match=r"and z\.csv beside it"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("names", [("dataset_info.json", "state.json"), ("dataset_info.json",), ()])
def test_a_folder_of_save_to_disk_says_how_to_make_parquet_of_it(names, tmp_path):
    for name in ("data-00000-of-00002.arrow", "data-00001-of-00002.arrow", *names):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"arquet file.*python -c"):
        open_source(str(tmp_path))

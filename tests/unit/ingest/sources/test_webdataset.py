from __future__ import annotations

import json
import os
import resource

import pytest
from forms import make_tar

from evoray.errors import DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import open_source
from evoray.ingest.sources.webdataset import open_webdataset


def cut_tar(tmp_path):
    path = make_tar(tmp_path / "cut.tar", {"a.cls": b"1", "a.jpg": bytes(5000)})
    path.write_bytes(path.read_bytes()[:3000])
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (cut_tar, "cut short|damaged"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x"}), "a.jpg has no label beside it.*--label-column"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x", "a.json": b"{}"}), "a.json holds no label"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x", "a.json": b"["}), "a.json: damaged, not JSON"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x", "a.json": b"7"}), "a.json holds no label"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x", "a.cls": b" "}), "a.cls holds no label"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x", "a.cls": b"\xff"}), "a.cls holds no label"),
        (lambda at: make_tar(at / "a.tar", {"a.txt": b"x"}), "no images in its tars"),
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x"}, "w:gz"), "no plain tar.*Unpack"),
        (lambda at: f"{at}/w-{{0..2}}.tar", "w-0.tar: no such file"),
    ],
)
def test_what_cannot_be_read_is_named(make, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(str(make(tmp_path)))


def opened(tmp_path, contents):
    return open_webdataset(str(make_tar(tmp_path / "a.tar", contents)))


def test_neighbours_of_one_key_are_a_record(tmp_path):
    source = opened(
        tmp_path, {"x/1.cls": b"3", "x/1.seg.txt": b"no", "x/1.jpg": b"one", "y/1.PNG": b"two", "y/1.cls": b"0"}
    )
    assert list(source.names) == ["a.tar/x/1.jpg", "a.tar/y/1.PNG"]
    assert [source.open(record) for record in range(2)] == [b"one", b"two"]
    assert (source.classes, list(source.labels)) == (("0", "1", "2", "3"), [3, 0])


def test_a_record_without_an_image_is_left_out(tmp_path):
    source = opened(tmp_path, {"1.cls": b"0", "1.txt": b"caption", "2.jpg": b"x", "2.cls": b"1"})
    assert (list(source.names), list(source.labels)) == (["a.tar/2.jpg"], [1])


@pytest.mark.parametrize("key", ["label", "cls", "class", "class_name"])
def test_a_json_has_its_label_under_any_of_the_known_keys(key, tmp_path):
    contents = {"1.jpg": b"x", "1.json": json.dumps({"other": 1, key: "cat"}).encode()}
    contents |= {"2.jpg": b"y", "2.json": json.dumps({key: "ant"}).encode()}
    source = opened(tmp_path, contents)
    assert (source.classes, list(source.labels)) == (("ant", "cat"), [1, 0])


def test_a_cls_counts_above_a_json(tmp_path):
    source = opened(tmp_path, {"1.jpg": b"x", "1.json": b'{"label": 5}', "1.cls": b"2\n"})
    assert list(source.labels) == [2]


def test_several_tars_are_one_source_in_the_order_of_their_names(tmp_path):
    for number in (1, 0):
        make_tar(tmp_path / f"w-{number}.tar", {"k.jpg": bytes([number]), "k.cls": str(number).encode()})
    for pattern in (str(tmp_path), f"{tmp_path}/w-*.tar", f"{tmp_path}/w-{{0..1}}.tar"):
        source = open_webdataset(pattern)
        assert list(source.names) == ["w-0.tar/k.jpg", "w-1.tar/k.jpg"]
        assert [source.open(record) for record in range(2)] == [b"\0", b"\1"]


def test_a_folder_without_tars_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no \.tar files"):
        open_webdataset(str(tmp_path))


def labels_of(source):
    return [source.classes[label] for label in source.labels]


def with_json(*values, key="label"):
    return {
        name: content
        for number, value in enumerate(values)
        for name, content in (
            (f"{number}.jpg", b"x"),
            (f"{number}.json", json.dumps({key: value, "width": 3}).encode()),
        )
    }


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (with_json(1.0, 0), ["1", "0"]),
        (with_json("2", 10), ["2", "10"]),
        (with_json(True, False), ["true", "false"]),
        (with_json("cat", "dog", key="class_name"), ["cat", "dog"]),
        ({"1.jpg": b"x", "1.json": b'{"label": 3, "class_name": "cat"}'}, ["3"]),
        ({"1.jpg": b"x", "1.json": b'{"label": 3, "cls": 3, "class": 3}'}, ["3"]),
        ({"1.jpg": b"x", "1.json": b'\xef\xbb\xbf{"label": 3}'}, ["3"]),
        ({"1.jpg": b"x", "1.cls": b"golden retriever\r\n"}, ["golden retriever"]),
        ({"1.jpg": b"x", "1.cls": b"\xef\xbb\xbf4"}, ["4"]),
        ({"1.jpg": b"x", "1.cls": b"3.0"}, ["3"]),
        ({"1.jpg": b"x", "1.cls.txt": b"7"}, ["7"]),
        ({"./v/1.jpg": b"x", "./v/1.cls": b"3", "./v/._1.jpg": b"y", "__MACOSX/v/1.jpg": b"z"}, ["3"]),
        ({"1.jpg": b"x", "1.cls": b"3", ".DS_Store": b"", "README": b"text", "__meta__.json": b"{}"}, ["3"]),
        ({"p.2021.jpg": b"x", "p.2021.cls": b"3", "q.2022.jpg": b"x", "q.2022.json": b'{"label": 1}'}, ["3", "1"]),
        ({"1.JPG": b"x", "1.CLS": b"3"}, ["3"]),
    ],
)
def test_a_record_has_the_label_that_was_meant(contents, expected, tmp_path):
    assert labels_of(opened(tmp_path, contents)) == expected


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (with_json(None), r"0\.json has the label None.*cannot be judged"),
        (with_json([1, 0, 0]), r"0\.json has the label \[1, 0, 0\]: several labels"),
        (with_json(["cat", "dog"]), r"0\.json has the label .*several labels"),
        (with_json({"cat": 1}), r"0\.json has the label .*several labels, or none"),
        (with_json(0.25, 1.5), r"0\.jpg: the label 0\.25 is a measurement"),
        (with_json(0, -1), r"1\.jpg has the label -1"),
        (with_json(""), r"0\.jpg has the label ''"),
        (with_json(1, "None"), r"1\.jpg has the label 'None'"),
        (with_json("cat", "dog", "cat,dog"), r"2\.jpg: cat,dog is several labels"),
        (with_json(1, 10**12), r"1\.jpg: the label 1000000000000 is no class's number"),
        (with_json(3, key="kind"), "holds no label under label, cls, class or class_name; its keys are kind, width"),
        (
            {"1.jpg": b"x", "1.json": b'{"label": 3, "cls": 4}'},
            "several labels that differ: label 3, cls 4.*--label-col",
        ),
        ({"1.jpg": b"x", "1.json": b'{"label": NaN}'}, "damaged, not JSON"),
        ({"1.jpg": b"x", "1.json": b"[" * 100_000}, "damaged"),
        ({"1.jpg": b"x", "1.cls": b"0 1 0"}, "is a list of several labels"),
        ({"1.jpg": b"x", "1.cls": b"one\ntwo"}, "control or invisible characters"),
        ({"1.jpg": b"x", "1.cls": b"1", "2.jpg": b"x"}, r"2\.jpg has no label beside it"),
        ({"1.jpg": b"x", "1.png": b"y", "1.cls": b"1"}, "several pictures, jpg, png.*--file-column"),
        ({"1.seg.png": b"x", "1.left.png": b"y", "1.cls": b"1"}, r"several pictures, seg\.png, left\.png"),
        ({"p.1.jpg": b"x", "p.1.cls": b"1", "p.2.jpg": b"x", "p.2.cls": b"2"}, "a key ends at the first dot"),
        ({"1.jpg": b"x", "1.cls": b"1", "2.jpg": b"x", "2.cls": b"1", "1.png": b"y"}, "the key 1 stands in two places"),
        ({"1.jpg": b"x", "2.jpg": b"x", "1.cls": b"1", "2.cls": b"1"}, r"1\.jpg has no label|two places"),
        ({"1.jpg": b"x", "1.JPG": b"y", "1.cls": b"1"}, r"has 1\.JPG twice"),
    ],
)
def test_a_record_that_could_mean_anything_is_refused(contents, message, tmp_path):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, contents)


BOTH = {
    "1.seg.png": b"mask", "1.jpg": b"image", "1.png": b"other",
    "1.cls": b"3", "1.top.txt": b"5", "1.json": b'{"label": 4, "kind": "cat", "n": null}',
}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "image", "label"),
    [
        ({"file_column": "jpg"}, b"image", "3"),
        ({"file_column": ".PNG"}, b"other", "3"),
        ({"file_column": "seg.png"}, b"mask", "3"),
        ({"file_column": "jpg", "label_column": "cls"}, b"image", "3"),
        ({"file_column": "jpg", "label_column": "top.txt"}, b"image", "5"),
        ({"file_column": "jpg", "label_column": "label"}, b"image", "4"),
        ({"file_column": "jpg", "label_column": "kind"}, b"image", "cat"),
    ],
)
def test_picture_and_label_are_taken_by_name(asked, image, label, tmp_path):
    source = open_webdataset(str(make_tar(tmp_path / "a.tar", BOTH)), Asked(**asked))
    assert (source.open(0), labels_of(source)) == (image, [label])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"file_column": "webp"}, r"no images in its tars \(webp\)"),
        ({"file_column": "jpg", "label_column": "color"}, "holds no label under color; its keys are label, kind, n"),
        ({"file_column": "jpg", "label_column": "n"}, "has the label None"),
    ],
)
def test_a_name_that_no_record_has_is_refused(asked, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_webdataset(str(make_tar(tmp_path / "a.tar", BOTH)), Asked(**asked))


def test_the_plain_picture_counts_before_a_mask(tmp_path):
    contents = {"1.seg.png": b"mask", "1.jpg": b"image", "1.cls": b"0"}
    assert opened(tmp_path, contents).open(0) == b"image"


def test_what_was_taken_and_left_out_is_noted(tmp_path):
    source = opened(tmp_path, {"1.jpg": b"x", "1.json": b'{"label": 0}', "2.txt": b"words", "2.json": b"{}"})
    assert source.notes == (
        "WebDataset of 1 tars: pictures from jpg, labels from json label",
        "1 records without a picture are left out: they hold json, txt",
    )


def test_a_name_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is not UTF-8\. Rename the file"):
        opened(tmp_path, {"a\udcff.jpg": b"x", "a\udcff.cls": b"0"})


def test_more_tars_than_open_files_are_listed(tmp_path):
    one = make_tar(tmp_path / "w-000.tar", {"k.jpg": b"x", "k.cls": b"0"})
    for number in range(1, 700):
        os.link(one, tmp_path / f"w-{number:03d}.tar")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 300, limits[1]))
    try:
        source = open_webdataset(f"{tmp_path}/w-{{000..699}}.tar")
        assert all(source.open(record) == b"x" for record in range(700))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_whoever_says_that_labels_are_classes_is_believed(tmp_path):
    tar = str(make_tar(tmp_path / "a.tar", with_json("a|b", "c")))
    with pytest.raises(DataError, match=r"a\|b is a list of several labels.*--as-classes"):
        open_webdataset(tar)
    assert open_webdataset(tar, Asked(as_classes=True)).classes == ("a|b", "c")

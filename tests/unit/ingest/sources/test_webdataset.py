from __future__ import annotations

import json

import pytest
from forms import make_tar

from evoray.errors import DataError
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
        (lambda at: make_tar(at / "a.tar", {"a.jpg": b"x"}), "a.jpg has no label beside it"),
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

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


def records(*labels, **kinds):
    """A record a row: its .cls, and other members with what they hold."""
    contents = {}
    for number, label in enumerate(labels):
        contents |= {f"{number}.jpg": b"x", f"{number}.cls": str(label).encode()}
        contents |= {f"{number}.{kind}": values[number].encode() for kind, values in kinds.items()}
    return contents


@pytest.mark.parametrize(
    ("contents", "labels"),
    [
        (records(2, json=['{"label": 2}']), ["2"]),
        (records(2, json=['{"label": "2"}']), ["2"]),
        (records(2, json=['{"label": 2.0, "width": 3}']), ["2"]),
        (records(2, json=['{"width": 3}']), ["2"]),
        (records(2, json=['{"label": null}']), ["2"]),
        (records(2, json=["no JSON"]), ["2"]),
        (records(2, json=["7"]), ["2"]),
        (records("cat", json=['{"label": "Cat"}']), ["cat"]),
        (records(1, 0, json=['{"label": "dog"}', '{"label": "cat"}']), ["1", "0"]),
        (records("dog", "cat", json=['{"label": 1}', '{"label": 0}']), ["dog", "cat"]),
        (records(1, txt=["a dog on 1 chair"]), ["1"]),
        (records("dog", "cat", txt=["a dog", "two cats"]), ["dog", "cat"]),
        (records("dog", "cat", txt=["dog", "cat"]), ["dog", "cat"]),
        (records(1, txt=["1\n"]), ["1"]),
        (records(1, txt=[""]), ["1"]),
        (records(1, **{"cls.txt": ["1"]}), ["1"]),
        ({"1.jpg": b"x", "1.cls.txt": b"4", "1.json": b'{"class": 4}'}, ["4"]),
    ],
)
def test_labels_in_two_places_that_agree_are_one(contents, labels, tmp_path):
    assert labels_of(opened(tmp_path, contents)) == labels


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            records(2, json=['{"label": 5}']),
            r"a\.tar: the record 0 has two labels that differ: cls says 2, json label says 5\. "
            "Say which counts with --label-column cls or --label-column label",
        ),
        (records(0, 1, json=['{"label": 0}', '{"class": 2}']), "the record 1 .*json class says 2"),
        (records(1, 2, json=['{"cls": 0}', '{"cls": 1}']), "the record 0 .*cls says 1, json cls says 0"),
        (records("cat", "dog", json=['{"label": "dog"}', '{"label": "cat"}']), "cls says cat, json label says dog"),
        (records("cat", json=['{"class_name": "dog"}']), "--label-column class_name"),
        (
            records(1, 1, json=['{"label": "cat"}', '{"label": "dog"}']),
            r"cls says 1, json label says dog\. .* 1 and cat",
        ),
        (
            records(1, 2, json=['{"label": "cat"}', '{"label": "cat"}']),
            r"cls says 2, json label says cat\. .* 1 and cat",
        ),
        (records(1, json=['{"label": [0, 1]}']), r"json label says \[0, 1\]"),
        (records("cat", "dog", txt=["dog", "dog"]), "cls says cat, txt says dog.*--label-column cls or .* txt"),
        (records(0, 1, txt=["1", "1"]), "cls says 0, txt says 1"),
        (records(1, **{"cls.txt": ["2"]}), r"cls says 1, cls\.txt says 2"),
        ({"1.jpg": b"x", "1.cls.txt": b"4", "1.json": b'{"class": 3}'}, r"cls\.txt says 4, json class says 3"),
    ],
)
def test_labels_in_two_places_that_differ_are_asked_about(contents, message, tmp_path):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, contents)


@pytest.mark.parametrize(
    ("column", "label"), [("cls", "2"), ("json", "5"), ("label", "5"), (".CLS", "2"), ("txt", "7")]
)
def test_the_label_that_was_named_counts(column, label, tmp_path):
    path = make_tar(tmp_path / "a.tar", records(2, json=['{"label": 5}'], txt=["7"]))
    assert labels_of(open_webdataset(str(path), Asked(label_column=column))) == [label]


def test_a_record_without_a_label_says_what_it_has(tmp_path):
    with pytest.raises(DataError, match=r"1\.jpg has no label beside it \(cls, cls\.txt, json\), but index, txt\."):
        opened(tmp_path, {"1.jpg": b"x", "1.txt": b"a cat", "1.index": b"4"})


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
        ({"file_column": ".PNG", "label_column": "cls"}, b"other", "3"),
        ({"file_column": "seg.png", "label_column": ".cls"}, b"mask", "3"),
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


def in_folders(*folders):
    return {f"{folder}/{kind}": content for folder in folders for kind, content in (("1.jpg", b"x"), ("1.cls", b"3"))}


@pytest.mark.parametrize(
    "folders",
    [("train", "val"), ("./train", "./test"), ("set/train", "set/test"), ("fold0", "fold1"), ("train2017", "val2017")],
)
def test_splits_in_one_tar_are_asked_about(folders, tmp_path):
    with pytest.raises(DataError, match=r"its records lie in folders that are splits of one set, .*--split all"):
        opened(tmp_path, in_folders(*folders))
    path, first = str(tmp_path / "a.tar"), folders[0].rpartition("/")[2]
    assert list(open_webdataset(path, Asked(split=first)).names) == [f"a.tar/{folders[0]}/1.jpg"]
    assert len(open_webdataset(path, Asked(split="all")).names) == 2


def test_folders_of_a_tar_that_are_no_splits_are_all_taken(tmp_path):
    source = opened(tmp_path, in_folders("a", "b", "train"))
    assert len(source.names) == 3
    with pytest.raises(DataError, match="no splits in it"):
        open_webdataset(str(tmp_path / "a.tar"), Asked(split="test"))


def divided(values, key="split", cls=False):
    """Records 0, 1, …, of the labels b, a, b, a …, with a split each; None says nothing of one."""
    contents = {}
    for number, value in enumerate(values):
        contents[f"{number}.jpg"] = b"x"
        described = {} if value is None else {key: value}
        if cls:
            contents[f"{number}.cls"] = b"ba"[number % 2 :][:1]
        else:
            described["label"] = "ba"[number % 2]
        contents[f"{number}.json"] = json.dumps(described).encode()
    return contents


@pytest.mark.parametrize("cls", [False, True])
@pytest.mark.parametrize(
    ("values", "key", "asked", "taken"),
    [
        (("train", "val", "train"), "split", "train", [0, 2]),
        (("train", "val", "test"), "split", "train,test", [0, 2]),
        (("train", "val", "test"), "split", "all", [0, 1, 2]),
        (("Train", "TEST", "train"), "Split", "TRAIN", [0, 2]),
        (("dev", "training", "dev"), "subset", "dev", [0, 2]),
        (("train", None, "train"), "split", "train", [0, 2]),
        ((1, 0, 1), "is_train", "1", [0, 2]),
        ((True, False, True), "is_train", "true", [0, 2]),
    ],
)
def test_a_split_in_the_json_of_records_is_asked_about_and_taken(values, key, asked, taken, cls, tmp_path):
    with pytest.raises(DataError, match=rf"the key {key} of its records divides them \(.*--split all"):
        opened(tmp_path, divided(values, key, cls))
    source = open_webdataset(str(tmp_path / "a.tar"), Asked(split=asked))
    assert list(source.names) == [f"a.tar/{number}.jpg" for number in taken]
    assert source.classes == ("a", "b"), "of all records: those of one split alone would be numbered otherwise"
    assert list(source.labels) == [1 - number % 2 for number in taken]
    assert any("--split all" in note or "splits taken, by the key" in note for note in source.notes)


def test_a_split_that_no_record_has_is_named_with_those_there_are(tmp_path):
    path = make_tar(tmp_path / "a.tar", divided(("train", "val")))
    with pytest.raises(DataError, match=r"\(train: 1, val: 1\). no 'test' among them. Take one with --split train"):
        open_webdataset(str(path), Asked(split="test"))


@pytest.mark.parametrize(
    "contents",
    [
        divided(("train", "train")),
        divided(("red", "blue")),
        divided(("train", "val"), key="word"),
        divided((["train"], ["val"])),
        divided((None, None)),
    ],
)
def test_a_key_that_divides_nothing_is_left_aside(contents, tmp_path):
    assert len(opened(tmp_path, contents).names) == 2


def test_a_split_may_be_the_label_that_is_asked_for(tmp_path):
    path = str(make_tar(tmp_path / "a.tar", divided(("train", "val"))))
    assert open_webdataset(path, Asked(label_column="split")).classes == ("train", "val")


@pytest.mark.parametrize(
    ("contents", "holds"), [({"1.npy": b"x", "1.cls": b"0"}, "its records hold cls, npy"), ({}, "they are empty")]
)
def test_tars_without_pictures_say_what_they_hold(contents, holds, tmp_path):
    with pytest.raises(DataError, match=rf"no images in its tars \(.*\): {holds}"):
        opened(tmp_path, contents)


def test_words_for_nothing_are_names_in_json_which_has_a_null(tmp_path):
    source = opened(tmp_path, with_json("NA", "None"))
    assert source.classes == ("NA", "None")
    assert "taken as names of classes, not as missing labels: NA, None" in source.notes


def test_a_text_that_says_nothing_may_be_a_name_if_the_user_says_so(tmp_path):
    members = {"0.jpg": b"x", "0.cls": b"NA", "1.jpg": b"x", "1.cls": b"cat"}
    with pytest.raises(DataError, match=r"0\.jpg has the label 'NA'.*If a class is called so, say --as-classes"):
        opened(tmp_path, members)
    assert open_webdataset(str(tmp_path / "a.tar"), Asked(as_classes=True)).classes == ("NA", "cat")
    with pytest.raises(DataError, match=r"a/0\.jpg has the label 'NA'"):
        opened(tmp_path, {**{f"a/{name}": content for name, content in members.items()}, **with_json("dog", "owl")})


def test_whoever_says_that_labels_are_classes_is_believed(tmp_path):
    tar = str(make_tar(tmp_path / "a.tar", with_json("a|b", "c")))
    with pytest.raises(DataError, match=r"a\|b is a list of several labels.*--as-classes"):
        open_webdataset(tar)
    assert open_webdataset(tar, Asked(as_classes=True)).classes == ("a|b", "c")

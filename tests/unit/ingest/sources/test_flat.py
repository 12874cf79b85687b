from __future__ import annotations

import pytest
from forms import (
    DEVKIT_IDS,
    FILES,
    IMAGES,
    SYNSETS,
    TRUTH,
    flat,
    flat_beside_the_devkit,
    flat_beside_the_unpacked_devkit,
    make_devkit,
    unpack_devkit,
)
from listing import meant, scanned

from evoray.errors import ConfigError, DataError
from evoray.ingest.labels.columns import Asked
from evoray.ingest.sources import flat as flat_source
from evoray.ingest.sources import open_source
from evoray.ingest.sources.flat import scan_flat


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


def devkit_without_truth(tmp_path):
    unpack_devkit(tmp_path)
    next(tmp_path.rglob("ILSVRC2012_validation_ground_truth.txt")).unlink()
    return flat(tmp_path / "flat")


@pytest.mark.parametrize(
    ("make", "message"),
    [
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
        (devkit_without_truth, "devkit_t12: no ILSVRC2012_validation_ground_truth.txt in it"),
    ],
)
def test_what_cannot_be_read_is_named(make, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(str(make(tmp_path)))


def listed(tmp_path, text, name="val.txt"):
    root = flat(tmp_path / "flat")
    (root / name).write_text(text)
    return open_source(str(root))


def test_a_list_may_hold_images_that_are_not_here_and_their_classes_count(tmp_path):
    """A subset of a validation set keeps the labels of the whole."""
    text = "".join(f"{name} {TRUTH[name]}\n" for name in FILES) + "absent.JPEG n00000001\n"
    source = listed(tmp_path, text)
    assert source.classes == ("n00000001", *SYNSETS)
    assert [source.classes[label] for label in source.labels] == [TRUTH[name] for name in source.names]


def test_names_in_a_list_may_be_paths_and_lines_may_be_blank(tmp_path):
    text = "\n".join(f"val/{name}\t{TRUTH[name]}\n" for name in FILES)
    assert listed(tmp_path, text).classes == SYNSETS


def test_an_image_listed_twice_with_one_label_is_fine(tmp_path):
    text = "".join(f"{name} 1\n{name} 1\n" for name in FILES)
    assert set(listed(tmp_path, text).labels) == {1}


def test_the_first_of_the_known_lists_is_taken(tmp_path):
    root = flat(tmp_path / "flat", val__txt="0\n" * IMAGES, labels__txt="1\n" * IMAGES)
    assert set(open_source(str(root)).labels) == {0}
    (tmp_path / "val.txt").write_text("2\n" * IMAGES)
    (root / "val.txt").unlink()
    assert set(open_source(str(root)).labels) == {1}, "the folder comes before what is beside it"
    (root / "labels.txt").unlink()
    assert set(open_source(str(root)).labels) == {2}


def test_an_id_that_the_devkit_does_not_know_is_named(tmp_path):
    unpack_devkit(tmp_path)
    root = flat(tmp_path / "flat", ILSVRC2012_validation_ground_truth__txt="1\n" * (IMAGES - 1) + "9\n")
    with pytest.raises(DataError, match="'9' is no id of the devkit's 3 synsets"):
        open_source(str(root))


def test_a_list_that_is_no_text_is_named(tmp_path):
    root = flat(tmp_path / "flat")
    (tmp_path / "mine.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"mine\.bin: cannot be read .*--labels"):
        open_source(str(root), labels=tmp_path / "mine.bin")


def test_lists_that_could_be_meant_are_named(tmp_path):
    root = flat(tmp_path / "flat", mine__csv="x")
    (tmp_path / "train.csv").write_text("x")
    with pytest.raises(DataError, match=r"with --labels, perhaps .*/flat/mine\.csv, .*/train\.csv"):
        open_source(str(root))


def test_images_below_and_what_was_left_are_said(tmp_path):
    root = flat(tmp_path / "flat", val__txt="0\n" * IMAGES)
    (root / "more").mkdir()
    (root / "more" / "1.jpg").touch()
    source = open_source(str(root), "flat")
    assert source.notes == (
        "list of labels val.txt: a label a line, in the order of the sorted names of the files",
        "1 images in folders below are left aside",
    )


def test_a_ground_truth_may_name_its_files(tmp_path):
    unpack_devkit(tmp_path)
    text = "".join(f"{name} {DEVKIT_IDS[TRUTH[name]]}\n" for name in reversed(FILES))
    source = open_source(str(flat(tmp_path / "flat", ILSVRC2012_validation_ground_truth__txt=text)))
    assert {name: source.classes[label] for name, label in zip(source.names, source.labels, strict=True)} == TRUTH


def test_an_image_that_is_a_link_out_of_the_folder_is_not_opened_unasked(tmp_path):
    root = flat(tmp_path / "flat", val__txt="".join(f"{name} 1\n" for name in FILES))
    first = sorted(FILES)[0]
    (root / first).rename(tmp_path / "out.jpg")
    (root / first).symlink_to(tmp_path / "out.jpg")
    source = open_source(str(root))
    assert first not in source.names and any("1 links that leave the tree" in note for note in source.notes)
    assert first in open_source(str(root), asked=Asked(follow_links=True)).names


def test_no_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent: no such directory\. Name a folder of images"):
        scan_flat(tmp_path / "absent", None)


def in_order(tmp_path, names, labels):
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    return scan_flat(tmp_path, None)


@pytest.mark.parametrize("form", ["{}.png", "img_{}.jpg", "IMG ({}).jpg", "a{}b7.png"])
def test_labels_by_order_are_asked_about_where_words_and_numbers_differ(form, tmp_path):
    names = [form.format(number) for number in range(12)]
    with pytest.raises(
        DataError, match=r"the files' order is open: the \d. is .*10.* by number. Write a line for each"
    ):
        in_order(tmp_path, names, [f"c{number % 3}" for number in range(12)])


@pytest.mark.parametrize(
    ("form", "count", "labels"), [("{}.png", 10, "abc"), ("{:04d}.png", 12, "abc"), ("{}.png", 12, "a")]
)
def test_labels_by_order_are_taken_where_both_orders_say_the_same(form, count, labels, tmp_path):
    own = [labels[number % len(labels)] for number in range(count)]
    found = in_order(tmp_path, [form.format(number) for number in range(count)], own)
    assert [found.classes[label] for label in found.labels] == own


@pytest.mark.parametrize(
    ("text", "name", "taken"),
    [
        ("filename,label\na.jpg,cat\nc d.png,dog\n", "list.csv", {"a.jpg": "cat", "c d.png": "dog"}),
        ("a.jpg cat\n", "list.txt", {"a.jpg": "cat"}),
        ("a,cat\nelsewhere,dog\n", "list.csv", {"a.jpg": "cat"}),
        ('{"b.jpg": 1}', "list.json", {"b.jpg": "1"}),
        ("b.jpg,0\na.jpg,0\n", "list.csv", {"a.jpg": "0", "b.jpg": "0"}),
    ],
)
def test_images_that_are_not_listed_are_left_out_where_that_is_said(text, name, taken, tmp_path):
    with pytest.raises(DataError, match=r"no label for .*Leave them out with --listed-only, or add lines for them"):
        scanned(tmp_path, text, name=name)
    source = scanned(tmp_path, text, name=name, listed_only=True)
    assert meant(source) == taken
    assert any(f"{3 - len(taken)} images are not listed, and left out" in note for note in source.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x.jpg,cat\ny.jpg,dog\n", "None of its files is here"),
        ("cat\ndog\n", "2 labels for the 3 images .*or one that names the files"),
        ("a.jpg,cat\na.jpg,dog\n", "a.jpg has two labels"),
    ],
)
def test_what_is_not_listed_is_no_excuse_for_another_list(text, message, tmp_path):
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, text, listed_only=True)


def test_nothing_is_said_where_all_are_listed(tmp_path):
    source = scanned(tmp_path, "a.jpg,x\nb.jpg,y\nc d.png,x\n", listed_only=True)
    assert len(source.names) == 3 and not any("not listed" in note for note in source.notes)


def test_a_tree_has_no_list_of_what_counts(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").touch()
    with pytest.raises(ConfigError, match=r"--listed-only: .* is read as folder, which has no list"):
        open_source(str(tmp_path), asked=Asked(listed_only=True))


MANY = 100_000
FORMS = {
    "list.csv": ("filename,label\n", "{path},c{label}\n"),
    "stems.csv": ("id;class\n", "img_{number:06d};c{label}\n"),
    "list.txt": ("", "{path} c{label}\n"),
    "list.jsonl": ("", '{{"file": "{path}", "label": "c{label}"}}\n'),
    "pandas.csv": (",0,1\n", "{number},{path},c{label}\n"),
}


def folder_of(count, monkeypatch, tmp_path):
    """A folder of so many images, none of them on disk."""
    files = [f"img_{number:06d}.jpg" for number in range(count)]
    monkeypatch.setattr(flat_source, "images_of", lambda root, follow: (files, ()))
    (tmp_path / "images").mkdir()
    return files


def test_a_hundred_thousand_rows_may_say_the_same_twenty_times_and_not_two_things(monkeypatch, tmp_path):
    files = folder_of(MANY // 20, monkeypatch, tmp_path)
    rows = [f"{name},c{number % 7}\n" for number, name in enumerate(files)] * 20
    listing = tmp_path / "list.csv"
    listing.write_text("".join(["filename,label\n", *rows]))
    source = scan_flat(tmp_path / "images", listing)
    assert source.names == files and source.labels == [number % 7 for number in range(len(files))]
    listing.write_text("".join(["filename,label\n", *rows, f"{files[12]},c6\n"]))
    with pytest.raises(DataError, match=rf"line {MANY + 2}: img_000012\.jpg has two labels, c5 \(line 14\) and c6"):
        scan_flat(tmp_path / "images", listing)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_hundred_thousand_rows_in_another_order_with_some_of_them_twice(form, monkeypatch, tmp_path):
    many = folder_of(MANY, monkeypatch, tmp_path)
    header, line = FORMS[form]
    rows = [line.format(path=path, number=number, label=number % 7) for number, path in enumerate(many)]
    listing = tmp_path / form
    listing.write_text(header + "".join([*reversed(rows), *rows[:50]]))
    source = scan_flat(tmp_path / "images", listing)
    assert source.names == many and source.classes == tuple(f"c{label}" for label in range(7))
    assert source.labels == [number % 7 for number in range(MANY)]
    listing.write_text(header + "".join([*rows, line.format(path=many[12], number=12, label=6)]))
    last, first = MANY + 1 + bool(header), 13 + bool(header)
    with pytest.raises(DataError, match=rf"line {last}: .*img_000012.* has two labels, c5 \(line {first}\) and c6"):
        scan_flat(tmp_path / "images", listing)


def test_a_list_of_a_header_twice_and_nothing_else(tmp_path):
    root = flat(tmp_path / "flat", labels__csv="file,label,weight\nfile,label,weight")
    with pytest.raises(DataError, match=r"no label for .* more images of .*There is no record in it\. Add lines"):
        open_source(str(root))

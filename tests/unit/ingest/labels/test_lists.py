"""Lists of labels as people have them, each with what it means or why it is refused."""

from __future__ import annotations

import csv
from collections import Counter
from random import Random

import pytest
from listing import meant, numbered, scanned

from evoray.errors import DataError
from evoray.ingest.labels import lists
from evoray.ingest.labels.columns import Asked
from evoray.ingest.labels.filenames import FIRST, FileNames
from evoray.ingest.labels.lists import read_list
from evoray.ingest.sources.flat import scan_flat

CATS = {"a.jpg": "cat", "b.jpg": "dog", "c d.png": "golden retriever"}


TABLE = "filename,label\na.jpg,cat\nb.jpg,dog\nc d.png,golden retriever\n"


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.replace("filename,label\n", ""),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        TABLE.rstrip("\n"),
        TABLE.replace(",", ", "),
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", "|"),
        TABLE.replace(",", " , "),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        b"\xfe\xff" + TABLE.encode("utf-16-be"),
        TABLE.encode("utf-32"),
        TABLE.replace("filename,label", "ImageId,Category"),
        TABLE.replace("filename,label", "image,class"),
        TABLE.replace("filename,label", "id_code,diagnosis"),
        TABLE.replace("filename,label", "Image Index,Finding Labels"),
        TABLE.replace("filename,label", "foto,sorte"),
        TABLE.replace(".jpg", "").replace(".png", ""),
        "# made by hand\n\n" + TABLE + "\n\n# the end\n",
        TABLE + ",\n,\n",
        "".join(f"{line},\n" for line in TABLE.splitlines()),
        '"filename","label"\n"a.jpg","cat"\n"b.jpg","dog"\n"c d.png","golden retriever"\n',
        "label,filename\ncat,a.jpg\ndog,b.jpg\ngolden retriever,c d.png\n",
        "cat,a.jpg\ndog,b.jpg\ngolden retriever,c d.png\n",
        ",filename,label\n0,a.jpg,cat\n1,b.jpg,dog\n2,c d.png,golden retriever\n",
        "id,filename,breed,age\n7,a.jpg,cat,1\n8,b.jpg,dog,2\n9,c d.png,golden retriever,3\n",
        TABLE.replace("a.jpg", "images/val/a.jpg").replace("b.jpg", "./b.jpg"),
        TABLE.replace("a.jpg", r"C:\data\a.jpg"),
        "a.jpg cat\nb.jpg   dog\nc d.png golden retriever\n",
        "a.jpg\tcat\nb.jpg\tdog\nc d.png\tgolden retriever\n",
        "filename label\na.jpg cat\nb.jpg dog\nc d.png golden retriever\n",
        'filename label\n"1" "a.jpg" "cat"\n"2" "b.jpg" "dog"\n"3" "c d.png" "golden retriever"\n',
        'filename\tlabel\n1\ta.jpg\tcat\n2\tb.jpg\tdog\n3\tc d.png\tgolden retriever\n',
        'a.jpg cat\nb.jpg dog\nc d.png "golden retriever"\n',
        "cat a.jpg\ndog b.jpg\ngolden retriever c d.png\n",
        '"a.jpg" cat\n"b.jpg" dog\n"c d.png" "golden retriever"\n',
        "'a.jpg','cat'\n'b.jpg','dog'\n'c d.png','golden retriever'\n",
        "sep=;\n" + TABLE.replace(",", ";"),
        TABLE.replace("golden retriever", "golden\u00a0retriever"),
        "cat\ndog\ngolden retriever\n",
        "label\ncat\ndog\ngolden retriever\n",
        '"cat"\n"dog"\n"golden retriever"\n',
        "cat\r\ndog\r\n\r\ngolden retriever",
        TABLE + "elsewhere.jpg,cat\n",
        TABLE + "a.jpg,cat\n",
        TABLE.replace("a.jpg,cat", "a.jpg,cat,,"),
        "ImageId,PredictionString\na,cat 1 2 3 4 cat 5 6 7 8\nb,dog 1 2 3 4\nc d,\"golden_retriever 1 2 3 4\"\n",
    ],
)  # fmt: skip
def test_a_list_means_what_it_says(text, tmp_path):
    assert {name: label.replace("_", " ") for name, label in meant(scanned(tmp_path, text)).items()} == CATS


NUMBERS = "".join(f"{number}.jpg,{label}\n" for number, label in enumerate((10, 2, 0, 1, 11)))
FIVE = tuple(f"{number}.jpg" for number in range(5))


@pytest.mark.parametrize(
    "text",
    [
        NUMBERS,
        "filename,label\n" + NUMBERS,
        "foto,sorte\n" + NUMBERS,
        "id,label\n" + NUMBERS.replace(".jpg", ""),
        NUMBERS.replace("\n", ".0\n"),
        NUMBERS.replace(",", " "),
        NUMBERS.replace(",", "  \t "),
        NUMBERS.replace(",", ",0"),
        "10\n2\n0\n1\n11\n",
        "level\n10\n2\n0\n1\n11\n",
    ],
)
def test_numbers_are_the_classes_own_numbers(text, tmp_path):
    source = scanned(tmp_path, text, FIVE)
    assert source.labels == [10, 2, 0, 1, 11]
    assert source.classes == tuple(map(str, range(12)))


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("file,label,target\na.jpg,1,x\nb.jpg,0,y\n", {"label_column": "target"}, ["x", "y"]),
        ("file,label,target\na.jpg,1,x\nb.jpg,0,y\n", {"label_column": "Target "}, ["x", "y"]),
        ("file,label,target\na.jpg,1,x\nb.jpg,0,y\n", {"label_column": "2"}, ["1", "0"]),
        ("a.jpg,1,x\nb.jpg,0,y\n", {"label_column": "3"}, ["x", "y"]),
        ("a.jpg 1 x\nb.jpg 0 y\n", {"label_column": "2"}, ["1", "0"]),
        ("new,old,label\na.jpg,b.jpg,x\nb.jpg,a.jpg,y\n", {"file_column": "old"}, ["y", "x"]),
        ("image,MEL,NV\na,1.0,0.0\nb,0.0,1.0\n", {"label_column": "MEL"}, ["1", "0"]),
        ("bild,art\na,x\nb,y\n", {"file_column": "bild"}, ["x", "y"]),
        ("bild,art\na,x\nb,y\n", {"file_column": "bild", "label_column": "art"}, ["x", "y"]),
    ],
)
def test_columns_are_taken_by_name_or_number(text, asked, expected, tmp_path):
    source = scanned(tmp_path, text, ("a.jpg", "b.jpg"), **asked)
    assert list(meant(source).values()) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label,target\na.jpg,1,2\nb.jpg,0,1\n", "label could be in the columns label, target.*--label-column"),
        ("file,class_id,class_name\na.jpg,1,x\nb.jpg,0,y\n", "columns class_id, class_name"),
        ("a.jpg,1,x\nb.jpg,0,y\n", r"columns 2, 3 \(there is no header.*--label-column"),
        ("a.jpg 1 x\nb.jpg 0 y\n", "columns 2, 3"),
        ("a.jpg golden retriever\nb.jpg persian cat\n", "columns 2, 3.*a label with such signs in it wants quotes"),
        ("new,old,label\na.jpg,b.jpg,x\nb.jpg,a.jpg,y\n", "the columns new, old name files.*--file-column"),
        ("image,MEL,NV,BCC\na,1.0,0.0,0.0\nb,0.0,1.0,0.0\n", "one-hot labels.*MEL, NV, BCC.*one label a file"),
        ("image,cat,dog\na,1,1\nb,0,1\n", "multi-label.*cat, dog.*one label a file"),
        ("a.jpg,cat\nb.jpg,\n", "line 2 has the label ''"),
        ("a.jpg,cat\nb.jpg\n", "line 2: 'b.jpg' has no label"),
        ("a.jpg cat\nb.jpg\n", "line 2: 'b.jpg' has no label"),
        ("a.jpg,cat\n,dog\nb.jpg,dog\n", "line 2: a label and no file"),
        ("a.jpg,cat\nb.jpg,dog\na.jpg,dog\n", r"line 3: a.jpg has two labels, cat \(line 1\) and dog"),
        ("a.jpg,cat\nb.jpg,dog\nx/b.jpg,cat\n", "line 3: x/b.jpg has two labels"),
        ("a.jpg,cat\n", "no label for b.jpg and 0 more images.*Leave them out with --listed-only, or add lines"),
        ("y.jpg,cat\nz.jpg,dog\n", "None of its files is here, such as y.jpg"),
        ("x,1\nz,2\n", "None of its files is here, such as x"),
        ("a.jpg,red, green\nb.jpg,dog\n", "line 2: 2 cells where others have 3|line 1: 3 cells where others have 2"),
        ('a.jpg,"cat\nb.jpg,dog\n', "line 1: 'a.jpg,\"cat' has no label|unexpected end|line 1: .*quote"),
        ("a.jpg,cat|dog\nb.jpg,dog\n", "line 1: cat|dog is a list of several labels"),
        ("a.jpg,cat\nb.jpg,cat;dog\n", "line 2: cat;dog is a list of several labels"),
        ("a.jpg,0.25\nb.jpg,3.5\n", r"line 1: the label 0\.25 is a measurement .*regression"),
        ("file,label\n", "a header and no line below it"),
        ('my "cat" x\ndog\n', 'line 1: quotes in my "cat" x, and no table'),
        ("", "empty"),
        (
            '{"a.jpg": "cat", "b.jpg": [1]}',
            "JSON with the keys a.jpg, b.jpg, and no list of labels.*header filename,label",
        ),
        ("file,label\na.jpg," + "x" * 200_000 + "\nb.jpg,cat\n", "line 2: field larger than field limit"),
        ("tench, Tinca\nowl, Strix\n", "None of its files is here.*wants quotes"),
        ("# nothing\n\n", "empty"),
        ("a.jpg=cat\nb.jpg=dog\n", "line 1: 'a.jpg=cat' names a file, and no label.*--format folder"),
        ("images/a\nimages/b\n", "line 1: 'images/a' names a file, and no label"),
        ("a.jpg,0\nb.jpg,nan\n", "line 2 has the label 'nan'.*give it one"),
        ("a.jpg,cat\nb.jpg,NA\n", "line 2 has the label 'NA'.*give it one.*If a class is called so, say --as-classes"),
        ("a.jpg;0,5\nb.jpg;1,25\n", "line 1: the label 0,5 is a measurement with a decimal comma.*--as-classes"),
        ("label\ncat\n", "reads like a header"),
        ("cat\ndog\nbird\n", "3 labels for the 2 images"),
        ("x 1\ny 2\n", "no label for a.jpg"),
        (
            "old.foto first\na.jpg,cat\nb.jpg,dog\n",
            "line 1: the header old.foto first has 1 cells, and the rows below it have 2",
        ),
        ("foto,hund\na,cat\nb,dog\n", "foto, hund is a header, or a record whose file is not here.*--file-column"),
        (b"a.jpg,caf\xe9\nb.jpg,cat\n", "cannot be read .*Save it as UTF-8"),
        ("a.jpg,cat\nb.jpg,dog\n".encode("utf-16-le"), "zero bytes in it.*UTF-8"),
        (b"\x1f\x8b\x08\0\0\0", "cannot be read"),
        ("a.jpg,\x1b[2Jx\nb.jpg,dog\n", r"\\x1b\[2Jx has control or invisible characters"),
        ("ImageId,PredictionString\na,cat 1 2 3 4 dog 5 6 7 8\nb,dog 1 2 3 4\n", "line 2: several labels, cat, dog"),
        ("a.jpg 1 0.98\nb.jpg 2 0.5 x\n", "after the file is a label with blanks, or several columns"),
        ("a.jpg,3\nb.jpg,1000000000000\n", "line 2: the label 1000000000000 is no class's number"),
    ],
)
def test_a_list_that_could_mean_anything_is_refused(text, message, tmp_path):
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, text, ("a.jpg", "b.jpg"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"label_column": "breed"}, "no column breed. --label-column is one of file, label, or a number from 1"),
        ({"file_column": "9"}, "no column 9. --file-column is one of"),
        ({"label_column": "label"}, "2 columns are called label. Give --label-column its number"),
    ],
)
def test_a_column_that_is_not_there_is_named(asked, message, tmp_path):
    header = "file,label,label" if message.startswith("2") else "file,label"
    row = ",x" * header.count(",")
    with pytest.raises(DataError, match=message):
        scanned(tmp_path, f"{header}\na.jpg{row}\nb.jpg{row}\n", ("a.jpg", "b.jpg"), **asked)


def test_a_list_without_columns_has_none_to_name(tmp_path):
    with pytest.raises(DataError, match="no table, so it has no columns to name"):
        scanned(tmp_path, "cat\ndog\ncat\n", label_column="2")


def test_a_table_in_markdown_has_no_row_of_dashes(tmp_path):
    source = scanned(tmp_path, "| file | label |\n|:---|---|\n| a.jpg | cat |\n| b.jpg | dog |\n", ("a.jpg", "b.jpg"))
    assert source.classes == ("cat", "dog") and meant(source)["b.jpg"] == "dog"


def test_columns_that_were_left_aside_are_noted(tmp_path):
    source = scanned(tmp_path, "file,label,age,who\na.jpg,cat,3,x\nb.jpg,dog,4,y\n", ("a.jpg", "b.jpg"))
    assert "columns left aside: age, who" in source.notes
    source = scanned(tmp_path, "file,label\na.jpg,cat\nb.jpg,dog\n", ("a.jpg", "b.jpg"))
    assert not any("left aside" in note for note in source.notes)


CELEBA = "3\nEyebrows Smiling Young\na.jpg -1  1  1\nb.jpg  1 -1  1\nc d.png -1 -1 -1\n".replace("c d.png", "c.jpg")


def test_a_list_of_attributes_with_its_count_above_is_asked_for_a_column(tmp_path):
    files = ("a.jpg", "b.jpg", "c.jpg")
    with pytest.raises(DataError, match=r"multi-label.*Eyebrows, Smiling, Young.*--label-column"):
        scanned(tmp_path, CELEBA, files)
    source = scanned(tmp_path, CELEBA, files, label_column="Smiling")
    assert meant(source) == {"a.jpg": "1", "b.jpg": "-1", "c.jpg": "-1"} and source.classes == ("-1", "1")
    assert "labels are -1 and 1: two classes, -1 the first" in source.notes


def test_a_column_of_ages_is_no_column_of_classes(tmp_path):
    text = "file,age\n" + "".join(f"{file},{number}\n" for number, file in enumerate(numbered(30), 20))
    with pytest.raises(DataError, match=r"30 different whole numbers from 20 to 49.*called age: a list for regression"):
        scanned(tmp_path, text, numbered(30))
    assert len(scanned(tmp_path, text, numbered(30), as_classes=True).classes) == 50
    assert len(scanned(tmp_path, text.replace("age", "label"), numbered(30)).classes) == 50


def test_whoever_says_that_tags_are_classes_is_believed(tmp_path):
    text = "image_name,tags\na,haze primary\nb,agriculture clear primary water\n"
    with pytest.raises(DataError, match=r"the column is called tags: several tags a file.*--as-classes"):
        scanned(tmp_path, text, ("a.jpg", "b.jpg"))
    source = scanned(tmp_path, text, ("a.jpg", "b.jpg"), as_classes=True)
    assert source.classes == ("agriculture clear primary water", "haze primary")


def test_what_was_understood_is_noted(tmp_path):
    source = scanned(tmp_path, TABLE.replace(",", ";") + "elsewhere.jpg;cow\n")
    assert source.notes[0] == (
        "list of labels list.csv: semicolons between columns, a header; files from column filename, "
        "labels from column label"
    )
    assert source.notes[1] == "1 lines name files that are not here (their labels count as classes): elsewhere.jpg"
    assert source.classes == ("cat", "cow", "dog", "golden retriever")


def test_a_column_without_a_name_is_noted_as_one(tmp_path):
    source = scanned(tmp_path, ",label\na.jpg,cat\nb.jpg,dog\n", ("a.jpg", "b.jpg"))
    assert "files from column (no name), labels from column label" in source.notes[0]


NESTED = ("cats/1.jpg", "dogs/1.jpg", "dogs/2.jpg")


def test_a_list_may_name_files_of_folders_below(tmp_path):
    text = "path,label\nimages/cats/1.jpg,cat\nimages/dogs/1.jpg,dog\n2.jpg,dog\n"
    assert meant(scanned(tmp_path, text, NESTED)) == {"cats/1.jpg": "cat", "dogs/1.jpg": "dog", "dogs/2.jpg": "dog"}


def test_a_name_that_several_folders_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 2: 1\.jpg could be cats/1\.jpg, dogs/1\.jpg\. Write the paths"):
        scanned(tmp_path, "path,label\n1.jpg,cat\n2.jpg,dog\n", NESTED)


def test_names_with_accents_apart_are_those_with_composed_ones(tmp_path):
    files = ("e\u0301te\u0301.jpg", "b.jpg")
    source = scanned(tmp_path, "\u00e9t\u00e9.jpg,summer\nb.jpg,winter\n", files)
    assert meant(source) == {files[0]: "summer", "b.jpg": "winter"}


def test_one_odd_cell_among_hundreds_is_found(tmp_path):
    files = tuple(f"{number:05d}.jpg" for number in range(500))
    lines = [f"{file},{number % 7}" for number, file in enumerate(files)]
    lines[345] = lines[345].rpartition(",")[0] + ",O"
    with pytest.raises(DataError, match="line 347: the label O among 7 numbers"):
        scanned(tmp_path, "file,label\n" + "\n".join(lines), files)
    lines[345] = lines[345].replace(",O", ",")
    with pytest.raises(DataError, match="line 347 has the label ''"):
        scanned(tmp_path, "file,label\n" + "\n".join(lines), files)


def test_a_comma_in_quotes_belongs_to_the_class(tmp_path):
    text = 'file,label\na.jpg,"tench, Tinca tinca"\nb.jpg,"say ""hen"""\n'
    source = scanned(tmp_path, text, ("a.jpg", "b.jpg"))
    assert source.classes == ('say "hen"', "tench, Tinca tinca")


def test_a_file_whose_name_is_like_a_comment_is_none(tmp_path):
    assert meant(scanned(tmp_path, "#1.jpg,cat\nb.jpg,dog\n", ("#1.jpg", "b.jpg"))) == {"#1.jpg": "cat", "b.jpg": "dog"}


def test_a_list_of_any_length_is_no_list(tmp_path, monkeypatch):
    monkeypatch.setattr("evoray.ingest.labels.text.MOST_LINES", 3)
    assert meant(scanned(tmp_path, TABLE.partition("\n")[2])) == CATS
    with pytest.raises(DataError, match=r"more than 3 lines\. Cut it"):
        scanned(tmp_path, TABLE)
    with open(tmp_path / "large.csv", "wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(DataError, match=r"large\.csv: 1,099,511,627,776 bytes"):
        scan_flat(tmp_path / "images", tmp_path / "large.csv")


STEMS = ("img", "photo one", "a", "1", "03", "x,y", "it's", "été", "#h", "label", "a.b", 'q"r')
WORDS = ("cat", "new york", "été", "tench, T", "7up", "it's", "class")


@pytest.mark.parametrize("seed", range(8))
def test_a_written_list_is_read_as_it_was_or_refused(seed, tmp_path):
    """Tables of every dialect, order of columns, header and spelling of the files; none gives another label."""
    random = Random(seed)
    outcomes = Counter()
    for _ in range(25):
        files = sorted({f"{random.choice(STEMS)}{random.choice(['', '_1', ' 3'])}.jpg" for _ in range(5)})
        numbers = random.random() < 0.5
        truth = {name: str(random.randrange(13)) if numbers else random.choice(WORDS) for name in files}
        try:
            found = read_list(written(random, truth, tmp_path / "list.csv"), FileNames(files), Asked())
        except DataError:
            outcomes["refused"] += 1
            continue
        assert found.by_name
        given = {files[number]: label for _, name, label in found.rows for number in FileNames(files).find(name)}
        assert given == truth, (tmp_path / "list.csv").read_text()
        outcomes["read"] += 1
    assert outcomes["read"] > outcomes["refused"]


def written(random, truth, path):
    """The table as csv, pandas or a spreadsheet would write it."""
    spelled = random.choice([str, lambda name: name.rpartition(".")[0], lambda name: f"some/folder/{name}"])
    columns = random.choice([("file", "label"), ("label", "file"), ("row", "file", "label")])
    headers = [{"file": "filename", "label": "label"}, {"file": "image_id", "label": "class"}, None]
    header = random.choice(headers)
    with open(path, "w", newline="", encoding=random.choice(["utf-8", "utf-8-sig", "utf-16"])) as file:
        style = {"quoting": random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])}
        writer = csv.writer(
            file, delimiter=random.choice(",;\t| "), lineterminator=random.choice(["\n", "\r\n"]), **style
        )
        if header:
            writer.writerow([header.get(column, "") for column in columns])
        for row, name in enumerate(random.sample(sorted(truth), len(truth))):
            cells = {"row": row, "file": spelled(name), "label": truth[name]}
            writer.writerow([cells[column] for column in columns])
    return path


@pytest.mark.parametrize(
    "line", ["train/x{}.jpg,{}\n", "x{} {}\n", '"x{}";{}\n', '{{"file": "x{}.png", "label": {}}}\n', "x {} y.JPEG {}\n"]
)
def test_a_long_list_of_other_files_is_known_by_its_first_lines(line, tmp_path, monkeypatch):
    looked_at = []
    monkeypatch.setattr("evoray.ingest.labels.lists._of_text", counted(lists._of_text, looked_at))
    text = "".join(line.format(number, number % 7) for number in range(3 * FIRST))
    with pytest.raises(
        DataError, match=r"no label for a.jpg and 1 more images of .* None of its files is here, such as"
    ):
        scanned(tmp_path, text, ("a.jpg", "b.jpg"))
    assert looked_at == [FIRST]


def counted(function, counts):
    def wrapper(path, text, *rest):
        counts.append(text.count)
        return function(path, text, *rest)

    return wrapper


def test_a_long_list_that_comes_to_the_files_at_its_end_is_read_whole(tmp_path):
    absent = "".join(f"x{number}.jpg,cat\n" for number in range(3 * FIRST))
    source = scanned(tmp_path, f"filename,label\n{absent}b.jpg,dog\na.jpg,cat\n", ("a.jpg", "b.jpg"))
    assert meant(source) == {"a.jpg": "cat", "b.jpg": "dog"}
    with pytest.raises(DataError, match=rf"{3 * FIRST} labels for the 2 images"):
        scanned(tmp_path, "cat\n" * 3 * FIRST, ("a.jpg", "b.jpg"))

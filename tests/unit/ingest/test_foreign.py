from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evoray.errors import DataError
from evoray.ingest.foreign import absent, mistaken, saved_dataset, unknown, what_is
from evoray.ingest.sources import open_source


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xd8\xff\xe0", "a picture (JPEG)"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
        (b"", "an empty file"),
        (b"PAR1", "a Parquet file"),
        (b"a,b\n1,2\n", "a text (a,b 1,2)"),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content, what):
    assert what_is(content) == what


def test_a_damaged_file_of_the_right_kind_is_left_to_its_reader(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(20))
    assert mistaken(tmp_path / "a.parquet", "Parquet file", "a Parquet file") is None
    (tmp_path / "b.parquet").write_bytes(bytes(range(1, 200)))
    assert mistaken(tmp_path / "b.parquet", "Parquet file", "a Parquet file") is None


def test_a_file_of_no_known_kind_is_no_source(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(range(1, 200)))
    assert "a.bin: nothing that is known, and no source by itself. Copy it again" in str(unknown(tmp_path / "a.bin"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imagenet/vall", r"imagenet holds no vall\. Perhaps val\?"),
        ("imagnet/val", r"holds no imagnet\. Perhaps imagenet\?"),
        ("nothing/like/it", r"holds no nothing\.$"),
        ("imagenet/*.tar", r"no file has such a name\. Patterns have"),
        ("imagenet/{a,b}.tar", r"no file has such a name\."),
        ("broken", r"a link that leads nowhere \(gone\)"),
        ("list.txt/val", r"holds no list\.txt|no such file"),
    ],
)
def test_a_path_that_is_not_there_says_what_is(name, words, tmp_path):
    (tmp_path / "imagenet" / "val").mkdir(parents=True)
    (tmp_path / "broken").symlink_to("gone")
    with pytest.raises(DataError, match=words):
        raise absent(str(tmp_path / name))
    with pytest.raises(DataError, match=words):
        open_source(str(tmp_path / name))


def write_stream(path, rows=2):
    table = pa.table({"image": [b"x"] * rows, "label": list(range(rows))})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def saved(folder):
    """As ``Dataset.save_to_disk`` leaves it."""
    folder.mkdir(parents=True)
    write_stream(folder / "data-00000-of-00001.arrow")
    for name in ("dataset_info.json", "state.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_dataset_that_was_saved_is_named_with_its_remedy(tmp_path):
    one = saved(tmp_path / "food")
    with pytest.raises(
        DataError, match=r"food: a Dataset as save_to_disk leaves it\. .*load_from_disk\('.*/food'\)\.to_p"
    ):
        open_source(str(one))
    for split in ("train", "test"):
        saved(tmp_path / "both" / split)
    (tmp_path / "both" / "dataset_dict.json").write_text("{}")
    with pytest.raises(DataError, match=r"both: a DatasetDict .*of test, train\. .*load_from_disk\('.*/both/test'\)"):
        open_source(str(tmp_path / "both"))
    (one / "state.json").unlink()
    with pytest.raises(
        DataError, match=r"food: Arrow files \(data-00000-of-00001\.arrow\), as a cache of .*open_stream"
    ):
        open_source(str(one))
    (tmp_path / "other").mkdir()
    assert saved_dataset(tmp_path / "other") is None


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_the_line_that_is_given_for_an_arrow_file_makes_a_parquet_file(kind, tmp_path):
    table = pa.table({"image": [b"x", b"y"], "label": [0, 1]})
    writer = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with writer(str(tmp_path / "a.arrow"), table.schema) as sink:
        sink.write_table(table)
    with pytest.raises(DataError) as refused:
        open_source(str(tmp_path / "a.arrow"))
    line = str(refused.value).partition("Make it a Parquet file: python -c ")[2].rstrip(".").strip('"')
    subprocess.run([sys.executable, "-c", line], check=True, cwd=tmp_path)
    assert pq.read_table(tmp_path / "a.parquet").equals(table)
    assert len(open_source(str(tmp_path / "a.parquet")).names) == 2

from __future__ import annotations

import errno
import io
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import GREY
from PIL import Image

from evoray.data.shard_files import check_file
from evoray.errors import DataError, PictureError, RunError
from evoray.ingest.shard_writer import Finished, ShardWriter
from evoray.runtime.paths import replace_with


@dataclass
class Numbers:
    """Greys of their own number, of 2 x 2; ``special`` says what else a record gives or raises."""

    count: int = 10
    special: dict = field(default_factory=dict)
    opened: list = field(default_factory=list)
    root = None
    classes = ("a", "b")

    @property
    def names(self):
        return [f"{number:03}.png" for number in range(self.count)]

    @property
    def labels(self):
        return [number % 2 for number in range(self.count)]

    def open(self, record):
        self.opened.append(record)
        found = self.special.get(record, Image.new("L", (2, 2), record))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def writer(tmp_path):
    for folder in ("shards", "done"):
        (tmp_path / folder).mkdir()

    def make(shard_size=4, **source):
        numbers = Numbers(**source)
        return ShardWriter(numbers, GREY, tmp_path, np.arange(numbers.count)[::-1].copy(), shard_size)

    return make


def silent(_):
    pass


@given(st.integers(1, 40), st.integers(1, 50))
def test_shards_take_the_order_in_turn(count, shard_size):
    order = np.random.default_rng(count).permutation(count)
    one = ShardWriter(Numbers(count), GREY, None, order, shard_size)
    parts = [one.records(number) for number in range(one.shards)]
    assert np.concatenate(parts).tolist() == order.tolist()
    assert all(len(part) == shard_size for part in parts[:-1]) and 1 <= len(parts[-1]) <= shard_size


def test_a_shard_and_its_record_are_written(writer, tmp_path):
    counted = []
    finished = writer().write(2, counted.append)
    assert counted == [1, 1]
    assert (finished.records, finished.shape, finished.first, finished.unreadable) == (2, (1, 2, 2), "001.png", ())
    assert (finished.entry.file, finished.entry.rows) == ("shard-00002.arrow", 2)
    check_file(tmp_path / "shards" / "shard-00002.arrow", finished.entry)
    record = (tmp_path / "done" / "shard-00002.json").read_bytes()
    assert Finished.model_validate_json(record) == finished
    assert len(list(tmp_path.rglob("*.part"))) == 0


def test_threads_change_neither_bytes_nor_lists(writer, tmp_path):
    special = {3: ValueError("no image"), 8: b"text"}
    alone = writer(10, special=special).write(0, silent)
    first = (tmp_path / "shards" / "shard-00000.arrow").read_bytes()
    (tmp_path / "done" / "shard-00000.json").unlink()
    together = writer(10, special=special).write(0, silent, threads=4)
    assert together == alone
    assert (tmp_path / "shards" / "shard-00000.arrow").read_bytes() == first


def test_what_is_finished_is_counted_and_not_decoded_again(writer):
    first = writer().write(0, silent)
    again = writer()
    counted = []
    assert again.write(0, counted.append) == first
    assert counted == [4] and again.source.opened == []


@pytest.mark.parametrize("damage", ["shard", "no shard", "record", "no record"])
def test_what_is_damaged_is_made_again(damage, writer, tmp_path):
    first = writer().write(0, silent)
    path = tmp_path / ("shards/shard-00000.arrow" if "shard" in damage else "done/shard-00000.json")
    path.unlink() if damage.startswith("no") else path.write_bytes(path.read_bytes()[:-1])
    again = writer()
    assert again.write(0, silent) == first
    assert again.source.opened == [9, 8, 7, 6]
    check_file(tmp_path / "shards" / "shard-00000.arrow", first.entry)


def test_a_record_of_another_number_of_images_is_not_taken(writer):
    writer(4).write(0, silent)
    assert writer(5).write(0, silent).records == 5


def test_bad_records_are_listed_and_the_others_kept(writer):
    finished = writer(special={9: ValueError("first line\nsecond"), 7: b"text"}).write(0, silent)
    assert (finished.records, finished.entry.rows, finished.first) == (4, 2, "008.png")
    assert [one.source for one in finished.unreadable] == ["009.png", "007.png"]
    assert finished.unreadable[0].error == "ValueError: first line"


def test_a_shard_of_bad_records_has_no_file(writer, tmp_path):
    finished = writer(2, special={9: ValueError("x"), 8: ValueError("x")}).write(0, silent)
    assert (finished.entry, finished.shape, len(finished.unreadable)) == (None, None, 2)
    assert list((tmp_path / "shards").iterdir()) == []
    again = writer(2)
    assert again.write(0, silent) == finished and again.source.opened == [], "this too is finished"


def test_a_reason_is_the_same_on_every_machine_and_run(writer, tmp_path):
    source = Numbers(special={9: ValueError(f"{tmp_path}/images/009.png at 0x7f00 <_io.BytesIO object at 0x7f01>")})
    source.root = tmp_path / "images"
    finished = ShardWriter(source, GREY, tmp_path, np.array([9, 0]), 2).write(0, silent)
    assert finished.unreadable[0].error == "ValueError: 009.png"


def test_a_reason_is_one_line_of_some_length(writer):
    finished = writer(special={9: ValueError("x" * 5000)}).write(0, silent)
    assert finished.unreadable[0].error == "ValueError: " + "x" * 288


def test_a_decoders_warning_does_not_stop_the_ingest(writer):
    palette = Image.new("P", (2, 2))
    palette.info["transparency"] = bytes(range(256))
    content = io.BytesIO()
    palette.save(content, "PNG", transparency=bytes(range(256)))
    assert writer(special={9: content.getvalue()}).write(0, silent).unreadable == ()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (OSError(errno.EIO, "Input/output error"), RunError, r"007\.png: cannot be read .*the same command goes on"),
        (DataError("labels differ"), DataError, "^labels differ$"),
    ],
)
def test_a_failing_disk_and_a_wrong_dataset_are_no_bad_images(raised, kind, message, threads, writer, tmp_path):
    with pytest.raises(kind, match=message):
        writer(special={7: raised}).write(0, silent, threads)
    assert list((tmp_path / "shards").iterdir()) == list((tmp_path / "done").iterdir()) == []


def test_images_of_two_sizes_are_named_with_both(writer):
    with pytest.raises(DataError, match=r"008\.png: \(1, 3, 2\) where 009\.png is \(1, 2, 2\)\. .*--resize and --crop"):
        writer(special={8: Image.new("L", (2, 3))}).write(0, silent)


def test_a_folder_that_is_gone_is_an_error_of_storage(writer, tmp_path):
    one = writer()
    (tmp_path / "shards").rmdir()
    with pytest.raises(RunError, match=r"shard-00000\.arrow: cannot be written .*What is finished is kept"):
        one.write(0, silent)


def test_a_file_is_replaced_whole(tmp_path):
    for content in (b"first", b"second, and longer", b""):
        replace_with(tmp_path / "plan.json", content)
        assert (tmp_path / "plan.json").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_images_too_large_to_be_held_are_no_stack_trace(writer, monkeypatch):
    def refuse(*_, **__):
        raise MemoryError

    one = writer()
    monkeypatch.setattr(np, "empty", refuse)
    with pytest.raises(RunError, match=r"not enough memory for 256 images at a time\. Give --resize and --crop"):
        one.write(0, silent)


def test_a_picture_that_is_refused_is_listed_by_its_reason_alone(writer):
    finished = writer(special={9: Image.new("F", (2, 2)), 8: PictureError("a pipe"), 7: b"%!PS-Adobe"}).write(0, silent)
    assert [one.error.split(" (")[0] for one in finished.unreadable] == [
        "floating-point values",
        "a pipe",
        "PostScript",
    ]
    assert finished.entry.rows == 1

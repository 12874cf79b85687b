"""Rows in memory: shared where they can be, and bounded."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from listing import scanned

from evoray.errors import DataError
from evoray.ingest.labels import room as module
from evoray.ingest.labels.room import MEMO, Room


def test_one_copy_of_a_label_is_kept():
    room = Room("list.csv")
    kept = [room.row([f"{number}.jpg", "".join(["la", "bel"])]) for number in range(MEMO + 10)]
    assert len({id(label) for _, label in kept}) == 1
    assert kept[-1] == [f"{MEMO + 9}.jpg", "label"]


@pytest.mark.parametrize("cells", [2, 20])
@pytest.mark.parametrize("text", ["{}", "n01440764/n01440764_{}.JPEG", "ä{}"])
def test_what_rows_take_is_estimated(cells, text, monkeypatch):
    monkeypatch.setattr(module, "MEMO", 10)
    tracemalloc.start()
    try:
        room = Room("list.csv")
        rows = [(number, room.row([text.format(1000 * number + n) for n in range(cells)])) for number in range(1000)]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(rows) == 1000 and 0.7 * taken < room._bytes < 2 * taken


ROWS = "".join(f"{number}.jpg,x{number},y{number}\n" for number in range(50))
LINES = "".join(json.dumps({"file": f"{number}.jpg", "label": f"x{number}"}) + "\n" for number in range(50))


@pytest.mark.parametrize("text", [ROWS, LINES])
def test_a_list_of_more_cells_than_memory_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2**13)
    with pytest.raises(DataError, match=r"list\.csv: more cells than 0 MiB of memory hold\. Keep the columns"):
        scanned(tmp_path, text, ("0.jpg",))

"""The fuzz campaign in small: it finds nothing, and would find what it is there to find."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import mutations
import pytest
from guarding import Good, Watch, tried
from program import Outcome

CAMPAIGN = Path(__file__).parent / "campaign.py"


@pytest.mark.slow
def test_thousands_of_damaged_inputs_end_well(tmp_path):
    words = [sys.executable, CAMPAIGN, "--inputs", "5000", "--first", "1000000", "--report", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = json.loads((tmp_path / "fuzz.json").read_text())
    assert done.returncode == 0 and found["inputs"] == 5000 and not found["failures"], done.stdout
    assert len(found["kinds"]) > 30 and all(
        "refused" in ends for ends in found["kinds"].values() if sum(ends.values()) > 20
    )


WAYS = sorted({way.__name__ for way in (*mutations.JSON, *mutations.ZIP, *mutations.SAFETENSORS, *mutations.TAR)})


@pytest.mark.parametrize("way", WAYS)
def test_a_mutation_is_the_same_whenever_it_is_drawn_again_and_takes_any_bytes(way):
    change = getattr(mutations, way)
    for number in range(200):
        content = random.Random(number).randbytes(number % 7 * 20)
        first, again = (change(random.Random(number), content) for _ in range(2))
        assert first == again and isinstance(first, bytes)


class Reads:
    """A target whose reader is ``act``."""

    files, ways, sign = ("a.txt",), (mutations.bits,), None

    def __init__(self, act, code=0):
        self.act, self.code = act, code

    def read(self):
        self.act()
        return Outcome(self.code, "", "refused" if self.code else "", 0.0, 0)


@pytest.fixture(scope="module")
def watch():
    """One: an audit hook stays for the life of a process."""
    return Watch(())


@pytest.mark.parametrize(
    ("act", "code", "why"),
    [
        (lambda place: None, 0, None),
        (lambda place: None, 2, None),
        (lambda place: None, 3, "3"),
        (lambda place: (place / "new").mkdir(), 2, "is written"),
        (lambda place: (place / "RAN").write_text("x"), 0, "a program in it was run"),
        (lambda place: subprocess.run(["true"], check=True), 0, "subprocess.Popen"),
        (lambda place: (place.parent / "elsewhere").write_text("x"), 0, "elsewhere"),
    ],
)
def test_what_an_input_may_not_do_is_seen(tmp_path, watch, act, code, why):
    place, good = tmp_path / "place", tmp_path / "good"
    for folder in (place, good):
        folder.mkdir()
        (folder / "a.txt").write_text("content")
    watch.allowed = (str(place),)
    found = tried(Reads(lambda: act(place), code), random.Random(1), place, Good(place, good), watch)
    assert found["end"] == ("wrong" if why else "refused" if code else "read")
    assert (why or "") in found.get("why", "")
    assert [path.name for path in place.iterdir()] == ["a.txt"] and (place / "a.txt").read_text() == "content"

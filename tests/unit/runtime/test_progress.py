from __future__ import annotations

import subprocess
import sys

from evoray.runtime.progress import Progress


class Told(Progress):
    def __init__(self):
        self.calls = []

    def stage(self, name, total, unit="evaluations"):
        self.calls.append((name, total, unit))

    def advance(self, count):
        self.calls.append(count)


def test_a_counter_begins_its_stage_with_the_first_call():
    told = Told()
    count = told.counter("ingest", "images")
    assert told.calls == []
    for done in (3, 4, 0):
        count(done, 7)
    assert told.calls == [("ingest", 7, "images"), 3, 4, 0]


def test_two_counters_are_two_stages():
    told = Told()
    first, second = told.counter("a", "x"), told.counter("b", "y")
    first(1, 2)
    second(5, 5)
    first(1, 2)
    assert told.calls == [("a", 2, "x"), 1, ("b", 5, "y"), 5, 1]


def test_by_itself_it_is_silent(capsys):
    progress = Progress()
    progress.stage("g0000", 3)
    progress.advance(3)
    progress.note("a sentence")
    progress.counter("ingest", "images")(1, 2)
    assert capsys.readouterr() == ("", "")


def test_it_imports_nothing_heavy():
    code = (
        "import sys, evoray.runtime.progress; print({'torch', 'numpy', 'ray', 'rich', 'pydantic'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"

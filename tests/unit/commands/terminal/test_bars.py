"""Progress in the task's own words: a bar on a terminal, in a log a line every ten seconds."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from evoray.commands.terminal import bars as module
from evoray.commands.terminal.bars import LINE_SECONDS, Bars, Counted, about
from evoray.errors import RunError, StoppedError
from evoray.runtime.events import Noted, Observers, RoundDone, StageProgress, StageStarted
from evoray.runtime.progress import ShownProgress


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def children(total, **more):
    """A stage of children on 4 shards of 100 images."""
    return StageStarted("g0000/child", "child", total, shards=4, images=100 * total, **more)


def round_done(generation, standing="best so far: NLL 0.2251 (g0000/c0012), the parent 0.2420"):
    return RoundDone(generation, "child", 40, 0, -0.2251, -0.3, 1.0, standing=standing)


def test_ctrl_c_says_what_is_kept_and_how_to_go_on_and_ends_as_a_shell_does():
    stopped = r"^stopped\. What was finished is kept: the same command goes on\.$"
    with pytest.raises(StoppedError, match=stopped) as error, Bars("the same command goes on"):
        raise KeyboardInterrupt
    assert error.value.exit_code == 130
    with pytest.raises(RunError, match="a run goes on with --resume"), Bars():
        raise KeyboardInterrupt
    with pytest.raises(LookupError), Bars():
        raise LookupError


def test_a_log_has_a_line_every_few_seconds_and_no_more(clock, capsys):
    with Bars() as bars:
        bars.stage("g0000", 40)
        for _ in range(5):
            clock[0] += 4.0
            bars.advance(2)
        bars.stage("nothing", 0)
        bars.stage("ingest", 100, "images")
        clock[0] += 10.0
        bars.advance(25)
    assert capsys.readouterr().err.splitlines() == [
        "g0000: 6 of 40 evaluations (0.5/s), 68 s left",
        "ingest: 25 of 100 images (2.5/s), 30 s left",
    ]


@pytest.mark.parametrize("seconds", [0.01, 0.5, 3.0, 9.0])
def test_many_short_generations_make_no_more_lines_than_one_long_one(clock, capsys, seconds):
    """Rounds and evaluations together, over ten minutes."""
    with Bars() as bars:
        told, generation = Observers([ShownProgress(bars)]), 0
        while clock[0] < 700.0:
            told.emit(children(8))
            for _ in range(8):
                clock[0] += seconds
                told.emit(StageProgress(1))
            told.emit(round_done(generation := generation + 1))
    lines = capsys.readouterr().err.splitlines()
    assert 600 / (LINE_SECONDS + seconds) - 1 <= len(lines) <= 600 / LINE_SECONDS
    assert all("best so far: NLL 0.2251 (g0000/c0012), the parent 0.2420" in line for line in lines[8:])


def test_children_are_counted_and_images_are_the_rate(clock, capsys):
    with Bars() as bars:
        told = Observers([ShownProgress(bars)])
        told.emit(children(160))
        for _ in range(49):
            clock[0] += 1.0
            told.emit(StageProgress(1))
    (*_, last) = capsys.readouterr().err.splitlines()
    assert last == "g0000: 10 of 40 children (100 images/s), 2 min left"


@pytest.mark.parametrize(
    ("started", "after", "text"),
    [
        (children(160), 48, "12 of 40 children (480 images/s), 23 s left"),
        (children(160), 51, "12 of 40 children (510 images/s), 21 s left"),
        (children(160, counted="records"), 48, "12 of 40 children (480 records/s), 23 s left"),
        (children(120, known=40), 4, "11 of 40 children (40 images/s), 5 min left"),
        (StageStarted("parent", "parent", 4, shards=4, images=400), 1, "100 of 400 images (10/s), 30 s left"),
        (StageStarted("parent", "parent", 4, shards=4, images=400, counted="records"), 0, "0 of 400 records"),
        (StageStarted("g0000/soup", "soup", 8, 4, 4, 800), 4, "800 of 1,200 images (40/s), 10 s left"),
        (StageStarted("x", "panel/test", 200, shards=1, images=0), 1, "1 of 200 networks (0.1/s), 33 min left"),
        (StageStarted("x", "soup/recalibrate", 3, shards=3), 3, "1 of 1 networks (0.1/s), 0 s left"),
    ],
)
def test_a_stage_in_words(started, after, text):
    stage = module.evaluations(started, 0.0)
    stage.add(after)
    assert stage.text(10.0) == text


@pytest.mark.parametrize(
    ("name", "part", "title"),
    [
        ("g0007/child", "child", "g0007"),
        ("g0007/child/look2", "child", "g0007"),
        ("auto/0", "auto", "sigma"),
        ("panel/test", "panel/test", "final, test"),
        ("guard\x1b/x", "guard", r"guard\x1b"),
    ],
)
def test_a_stage_is_called_by_what_it_is(name, part, title):
    assert module.evaluations(StageStarted(name, part, 1), 0.0).title == title


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (89, "89 s"), (91, "2 min"), (5000, "83 min"), (9000, "2 h 30 min"), (2.6e5, "3 days")],
)
def test_a_time_as_people_say_it(seconds, text):
    assert about(seconds) == text


def test_nothing_is_divided_by_nothing():
    stage = Counted("a", 3, "steps", 5.0)
    assert stage.text(5.0) == "0 of 3 steps"
    stage.add(2)
    assert stage.text(5.0) == stage.text(5.001) == "2 of 3 steps", "done before it was told: no rate of its own"
    stage.add(9)
    assert stage.text(6.0).endswith("0 s left")
    Bars().advance(1)


@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal_one_bar_and_a_line_a_round(monkeypatch, columns):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=columns, color_system=None, _environ={})
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    with Bars() as bars:
        told = Observers([ShownProgress(bars)])
        for generation in range(3):
            told.emit(children(400, known=4))
            told.emit(StageProgress(8))
            told.emit(round_done(generation))
        told.emit(Noted("a word"))
    text = stream.getvalue()
    assert "3 of 101 children" in text and text.count("the parent 0.2420") == 3 and "a word" in text
    plain = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))
    assert max(map(len, plain)) <= columns and any("3 of 101 children" in line for line in plain)


@pytest.mark.parametrize("text", ["looking at /data/[a]/x", "looking at [/data]", "long" + " long" * 60])
def test_a_note_in_a_log_is_one_line_as_it_is(text, capsys):
    with Bars() as bars:
        bars.note(text)
    assert capsys.readouterr().err == f"{text}\n"

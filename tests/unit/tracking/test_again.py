"""A run directory sent to trackers after the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from evoray.errors import UsageError
from evoray.tracking import observer, replay

HERE = Path(__file__).parent


@pytest.fixture
def sent(finished, tmp_path):
    """Sends the finished run; (whether all was told, notes)."""

    def send(to="fakes:Keeps", **more):
        notes = []
        all_told = replay(
            finished.location,
            to,
            config_dir=HERE,
            note=notes.append,
            directory=str(tmp_path / "out"),
            patience=60,
            **more,
        )
        return all_told, notes

    return send


def test_rounds_and_results_are_sent_and_not_a_second_time(sent, told, summary, finished):
    finished.remove("population.parquet")  # no pictures: they take seconds, and have a test of their own
    assert sent()[0]
    assert [line.get("round") for line in told()] == [None, 1, 2, 3, None]
    assert told()[1]["figures"]["children/best/fitness"] == -1.0
    assert told()[-1]["end"] == summary["verdict"]
    assert "lineage/soup.json" in told()[-1]["files"]
    before = told()
    assert sent() == (True, ["tracking: fakes:Keeps has everything already"])
    assert told() == before


class Listed:
    """In place of a tracker's process: a list of what it would be told."""

    told, where = (), "a list"

    def __init__(self, name, begin, state):
        self.name = name
        Listed.told = (begin,)

    def start(self): ...

    def tell(self, request):
        Listed.told = (*Listed.told, request)

    def close(self): ...

    def standing(self):
        return None

    def missed(self):
        return 0


def test_a_run_that_has_not_finished_is_sent_as_far_as_it_is(sent, finished, monkeypatch):
    monkeypatch.setattr(observer, "Feeder", Listed)
    finished.remove("summary.json")
    assert not sent()[0]
    assert [one.get("step") for one in Listed.told] == [None, 1, 2, 3, 3]
    assert Listed.told[-1]["error"] == "it has not finished"


def test_the_trackers_of_the_run_itself_are_taken_with_their_settings(sent, finished, config, monkeypatch):
    monkeypatch.setattr(observer, "Feeder", Listed)
    finished.write_json("config.json", {**config, "tracking": {"to": ["fakes:Keeps"], "project": "mine"}})
    assert sent(to=())[0]
    assert Listed.told[0]["beginning"]["settings"]["project"] == "mine"
    assert Listed.told[0]["beginning"]["run"] == "abc"
    assert not any(key.startswith("tracking") for key in Listed.told[0]["beginning"]["config"])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: run.remove("config.json"), "config.json"),
        (lambda run: run.write("metrics.jsonl", b'{"generation": 0}\n'), "metrics.jsonl, line 1: damaged"),
        (lambda run: run.write("metrics.jsonl", b"[\n"), "metrics.jsonl, line 1"),
        (lambda run: run.remove("journal/identity.json"), "identity.json"),
    ],
)
def test_a_damaged_run_is_refused_before_anything_is_sent(sent, finished, tmp_path, damage, said):
    damage(finished)
    with pytest.raises(UsageError) as refused:
        sent()
    assert said in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_run_without_trackers_asks_for_one(sent):
    with pytest.raises(UsageError, match="named no trackers"):
        sent(to=())

"""Races on real children: the same answer everywhere, resumable, and said in the files."""

from __future__ import annotations

import pytest
from outputs import PulledPlug, StopsAfter, bytes_of

from evoray.errors import ConfigError
from evoray.evolution import evolve
from evoray.storage import journal


@pytest.fixture(scope="module")
def raced(small_run):
    def make(**changes):
        return small_run(
            data__select=0.1,
            **{"search__children": 24, "search__racing": True, "search__confidence": 0.8, **changes},
        )

    return make


@pytest.fixture(scope="module")
def result(raced, tmp_path_factory):
    """One race on one worker; it is read alone."""
    return evolve(raced(compute__workers=1), tmp_path_factory.mktemp("raced") / "run", page=False)


@pytest.fixture(scope="module")
def whole(raced, tmp_path_factory):
    """Two generations that are never stopped."""
    config = raced(compute__workers=1, search__generations=2)
    return evolve(config, tmp_path_factory.mktemp("whole") / "run", page=False)


def test_dropped_children_rank_behind_and_say_so(result):
    rows = result.population.sort_by("rank").to_pylist()
    images = result.summary["splits"]["select"]
    dropped = [row for row in rows if row["status"].startswith("dropped after")]
    ended = [row for row in rows if row["status"] == "ok"]
    assert dropped and len(ended) + len(dropped) == 24
    assert rows == ended + dropped
    assert {row["select_n"] for row in ended} == {images}
    assert all(row["select_n"] < images and f"{row['select_n']} of {images}" in row["status"] for row in dropped)
    race = result.summary["racing"]
    assert race["images"] == sum(row["select_n"] for row in rows)
    assert race["images_without"] == 24 * images
    assert race["dropped"] == len(dropped)
    assert race["share_saved"] == pytest.approx(1 - race["images"] / race["images_without"])
    assert 0 < race["expected_lost"]["lost_by_confidence"] <= 0.2 * 3


def test_survivors_are_judged_as_without_a_race(result, raced, tmp_path):
    unraced = evolve(raced(compute__workers=1, search__racing=False), tmp_path / "run", page=False)
    for ours, theirs in zip(result.population.to_pylist(), unraced.population.to_pylist(), strict=True):
        assert ours["noise_seed"] == theirs["noise_seed"]
        if ours["status"] == "ok":
            assert ours["select_fitness"] == pytest.approx(theirs["select_fitness"], rel=1e-6)
            assert ours["select_top1"] == theirs["select_top1"]


def test_a_budget_is_kept(raced, tmp_path):
    config = raced(compute__workers=1, search__budget_images=24 * 170, search__confidence=0.99)
    race = evolve(config, tmp_path / "run", page=False).summary["racing"]
    assert race["images"] <= 24 * 170
    assert race["dropped_for_budget"] > 0
    assert race["expected_lost"]["lost_by_budget"] > 0


@pytest.mark.parametrize("after", [40, 250])
def test_a_race_goes_on_where_it_stopped(whole, raced, tmp_path, after, monkeypatch):
    monkeypatch.setattr(journal, "FLUSH_SECONDS", 0.01)
    config = raced(compute__workers=1, search__generations=2)
    with pytest.raises(PulledPlug):
        evolve(config, tmp_path / "cut", progress=StopsAfter(after))
    resumed = evolve(config, tmp_path / "cut", resume=True, page=False)
    assert bytes_of(resumed.directory) == bytes_of(whole.directory)
    assert resumed.summary["racing"] == whole.summary["racing"]


def test_workers_do_not_change_a_race(result, raced, tmp_path):
    two = evolve(raced(compute__workers=2), tmp_path / "run", page=False)
    assert bytes_of(result.directory) == bytes_of(two.directory)
    assert result.summary["racing"] == two.summary["racing"]


def test_a_budget_that_cannot_be_kept_is_refused(raced, tmp_path):
    with pytest.raises(ConfigError, match=r"search\.budget_images = 100: .* cost"):
        evolve(raced(search__budget_images=100), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_fitness_that_is_no_mean_of_images_is_refused(raced, tmp_path):
    with pytest.raises(ConfigError, match="no mean of images"):
        evolve(raced(fitness__name="scores:NotAMean"), tmp_path / "run")


@pytest.mark.parametrize("changes", [{}, {"search__racing": False, "mutation__sigma": "auto"}])
@pytest.mark.parametrize(
    ("function", "words"), [("one_number", "one score a record"), ("divides", "ZeroDivisionError")]
)
def test_a_function_that_scores_no_single_image_is_refused_before_the_run(raced, tmp_path, changes, function, words):
    with pytest.raises(ConfigError, match=words):
        evolve(raced(fitness__name=f"scores:{function}", **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_users_score_an_image_races(raced, tmp_path):
    config = raced(fitness__name="scores:per_image", compute__workers=1)
    race = evolve(config, tmp_path / "run", page=False).summary["racing"]
    assert race["images"] < race["images_without"]

"""Guards through whole runs: digits 0 to 4 are the run's task, 5 to 9 what its network must not lose."""

from __future__ import annotations

import pytest
from outputs import bytes_of

from evoray.config import parse_config
from evoray.data import ImageTransform
from evoray.data.ready.packaged import PackagedDataset
from evoray.evolution import evolve
from evoray.ingest.ingest import ingest_dataset
from evoray.results.write import RunResult
from evoray.runtime.progress import Progress

LOST = 0.03
"""NLL that the tight guard lets go."""
LOOSE, TIGHT = "nll <= parent + 50", f"nll <= parent + {LOST}"
GREY = ImageTransform(resize=None, crop=None, channels=1)


class Digits:
    """As a torch Dataset."""

    def __init__(self, images, labels, first):
        self.images, self.targets = images, labels - first
        self.classes = [str(first + number) for number in range(5)]

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return self.images[index, 0], int(self.targets[index])


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    folder, every = tmp_path_factory.mktemp("halves"), PackagedDataset("mnist5k")._all
    for name, first in (("low", 0), ("high", 5)):
        ours = ((every.labels >= first) & (every.labels < first + 5)).nonzero()[0][::4]
        digits = Digits(every.images[ours], every.labels[ours], first)
        ingest_dataset(digits, folder / name, GREY, workers=1, shard_size=150)
    return folder


@pytest.fixture(scope="module")
def config(halves, parent_file):
    def make(keep=None, *, guard=None, **sections):
        values = {
            "parent": {"source": "module", "name": "evoray.demo:small_cnn", "weights": str(parent_file)},
            "data": {"path": str(halves / "low"), "outputs": [0, 1, 2, 3, 4]},
            "mutation": {"sigma": 0.3, "parts": 2, "include": ["output.*"]},
            "search": {"children": 24},
            "ensemble": {"size": 4},
            "soup": {"method": "uniform"},
            "compute": {"backend": "local", "workers": 1, "threads_per_worker": 1},
        }
        high = {"name": "high", "data": {"path": str(halves / "high"), "outputs": [5, 6, 7, 8, 9]}, "keep": keep}
        values["guard"] = [] if keep is None else [high | (guard or {})]
        return parse_config({key: {**values[key], **sections.get(key, {})} if key != "guard" else values[key]
                             for key in values})  # fmt: skip

    return make


class Said(Progress):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def runs(config, tmp_path_factory):
    """The same run without a guard, with one that lets everything go, and with a tight one: (result, lines said)."""
    found = {}
    for name, keep in (("none", None), ("loose", LOOSE), ("tight", TIGHT)):
        said = Said()
        found[name] = evolve(config(keep), tmp_path_factory.mktemp(name) / "run", page=False, progress=said), said.lines
    return found


def lost(result: RunResult, name: str) -> float:
    (guard,) = result.summary["guards"]
    return guard[name]["nll"] - guard["parent"]["test"]["nll"]


def test_a_guard_binds(runs):
    """On images of the guard that chose nothing."""
    (none, _), (loose, _), (tight, _) = (runs[name] for name in ("none", "loose", "tight"))
    assert none.summary["best_child"]["id"] == loose.summary["best_child"]["id"]
    assert lost(loose, "best_child") > LOST
    assert tight.summary["best_child"]["id"].startswith("g0000/c")
    assert all(lost(tight, name) <= LOST for name in ("best_child", "soup", "ensemble"))
    assert tight.summary["best_child"]["nll"] < tight.summary["parent"]["test"]["nll"]


def test_a_run_without_a_guard_is_as_it_was(runs):
    (none, _), (loose, _) = runs["none"], runs["loose"]
    assert "guards" not in none.summary and "guard" not in none.directory.read_json("config.json")
    assert "guard" not in none.verdict and bytes_of(none.directory) == bytes_of(loose.directory)
    assert none.summary["soup"] == loose.summary["soup"]


def test_who_is_passed_over_says_why_and_keeps_its_fitness(runs):
    rows = {name: {row["child_id"]: row for row in runs[name][0].population.to_pylist()} for name in ("none", "tight")}
    broke = {name: row for name, row in rows["tight"].items() if row["status"] != "ok"}
    assert len(broke) == runs["tight"][0].summary["guards"][0]["broken"] > 0
    for name, row in broke.items():
        assert row["status"].startswith(f"breaks guard high: {TIGHT}: ")
        assert row["select_fitness"] == rows["none"][name]["select_fitness"]
        assert row["select_fitness"] > -runs["tight"][0].summary["parent"]["select"]["nll"]


def test_few_are_judged_and_their_work_is_counted(runs):
    (none, _), (tight, _) = runs["none"], runs["tight"]
    (guard,) = tight.summary["guards"]
    assert guard["broken"] < guard["judged"] < 24
    images = sum(guard["splits"].values())
    more = tight.summary["work"]["images"] - none.summary["work"]["images"]
    assert more >= guard["judged"] * guard["splits"]["select"] + 3 * guard["splits"]["test"] and images == 525
    assert tight.summary["work"]["stages"]["guard"] > 0 and "guard" not in none.summary["work"]["stages"]


def test_the_verdict_says_what_is_held(runs):
    for name in ("loose", "tight"):
        result, lines = runs[name]
        (guard,) = result.summary["guards"]
        assert guard["said"] in result.verdict and "holds guard high (nll <= parent + " in guard["said"]
        assert guard["holds"] == {"best_child": True, "soup": True, "ensemble": True}
        assert any(line.startswith("guard high: the parent has NLL ") for line in lines)
        metrics = {(one["name"], one["metric"]) for one in guard["comparisons"]}
        assert metrics >= {(one, "nll") for one in guard["holds"]}
        for one in guard["comparisons"]:
            if one["metric"] == "nll":
                assert one["difference"] == pytest.approx(lost(result, one["name"]))
                assert one["ci95"][0] <= one["difference"] <= one["ci95"][1]

"""Guards through whole runs: digits 0 to 4 are the run's task, 5 to 9 what its network must not lose."""

from __future__ import annotations

import shutil

import pytest
from outputs import FILES, PulledPlug, StopsAfter, bytes_of

from evoray.config import parse_config
from evoray.config.resolve import Facts, resolve
from evoray.data import ImageTransform
from evoray.data.ready.packaged import PackagedDataset
from evoray.errors import ConfigError, DataError, ModelError, UsageError
from evoray.evaluation.evaluator import Evaluator
from evoray.evolution import evolve
from evoray.fitness import Constrained
from evoray.ingest.ingest import ingest_dataset
from evoray.mutation import Lineage
from evoray.report.page import render
from evoray.results.export import export_member
from evoray.results.write import RunResult
from evoray.runtime.progress import Progress
from evoray.search.inputs import check_inputs
from evoray.search.workers import make_program

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


@pytest.mark.slow
def test_the_page_and_the_tables_show_it(runs):
    result, _ = runs["tight"]
    page = render(result.summary, result.directory.read_json("config.json"), result.population)
    for words in ("Guard high (image-classification)", f"Kept: {TIGHT}.".replace("<", "&lt;"), "guard.0.keep"):
        assert words in page
    assert "break a guard and were passed over" in page


def test_where_nobody_holds_the_parent_stays(config, tmp_path, monkeypatch):
    said = Said()
    monkeypatch.setattr(Constrained, "broken", lambda fitness, total, parent: f"{TIGHT}: 9, the parent has 0.2")
    result = evolve(config(TIGHT), tmp_path / "run", page=False, progress=said)
    summary = result.summary
    (guard,) = summary["guards"]
    assert summary["best_child"]["id"] == summary["soup"]["id"] == "parent" and "ensemble" not in summary
    assert summary["best_child"]["nll"] == summary["parent"]["test"]["nll"]
    assert guard["holds"] == {} and guard["broken"] == guard["judged"] and "nothing but the parent" in result.verdict
    assert any("holds every guard, so the parent stays" in line for line in said.lines)
    assert export_member(result.directory, "best", tmp_path / "best.safetensors", None)


@pytest.mark.slow
def test_the_most_candidates_are_said(config, tmp_path):
    said = Said()
    result = evolve(config(TIGHT, guard={"candidates": 2}), tmp_path / "run", page=False, progress=said)
    (guard,) = result.summary["guards"]
    assert result.summary["best_child"]["id"] == "parent" or guard["holds"]["best_child"]
    (first, *_) = [line for line in said.lines if "its most" in line]
    assert first.startswith("guard high: 2 candidates of g0000 were judged, its most; who comes after them is passed")


def test_killed_and_resumed_to_the_byte(config, runs, halves, tmp_path):
    """In the middle of the guard's own evaluations, with its data somewhere else."""
    (whole, _), stops = runs["tight"], tmp_path / "run"
    with pytest.raises(PulledPlug):
        evolve(config(TIGHT), stops, page=False, progress=StopsAfter(25 * 2 + 8))
    with pytest.raises(UsageError, match=r"guard\.0\.keep was 'nll <= parent \+ 0\.03' and is 'nll"):
        evolve(config(LOOSE), stops, page=False, resume=True)
    with pytest.raises(UsageError, match=r"guards? was"):
        evolve(config(), stops, page=False, resume=True)
    shutil.copytree(halves / "high", tmp_path / "moved")
    moved = {"path": str(tmp_path / "moved"), "outputs": [5, 6, 7, 8, 9]}
    again = evolve(config(TIGHT, guard={"data": moved}), stops, page=False, resume=True)
    assert again.directory.read_json("config.json")["guard"][0]["data"]["path"] == moved["path"]
    assert bytes_of(again.directory) == bytes_of(whole.directory)
    assert again.summary["guards"] == whole.summary["guards"] and again.verdict == whole.verdict


@pytest.mark.parametrize(
    ("guard", "kind", "words"),
    [
        (
            {"keep": "top7 >= parent"},
            ConfigError,
            r'guard high: keep = "top7 >= parent": top7 is no figure',
        ),
        ({"keep": "class-accuracy >= parent"}, ConfigError, "class-accuracy is no figure"),
        ({"keep": "nll >= parent - 1"}, ConfigError, 'guard high: .*lower is better.*Write "nll <='),
        ({"keep": "top1 >= parent - 5"}, ConfigError, "guard high: .*top1 is a fraction, from 0 to 1; 5% is 0.05"),
        ({"data": {"path": "nowhere/high"}}, DataError, "guard high: .*nowhere/high"),
        ({"data": {"path": "mock:images=64,size=28,classes=10"}}, ModelError, "guard high: .*channels"),
        ({"task": {"name": "regression"}, "keep": "mse <= parent + 1"}, UsageError, "guard high: "),
        ({"task": {"name": "nothing:There"}}, ConfigError, "nothing:There"),
    ],
)
def test_what_no_guard_can_be_is_refused_before_the_run(guard, kind, words, config, tmp_path):
    with pytest.raises(kind, match=words):
        evolve(config(TIGHT, guard=guard), tmp_path / "run", page=False)
    assert not (tmp_path / "run").exists()


def test_what_chooses_and_what_is_reported_never_meet(config, halves):
    low = {"path": str(halves / "low"), "outputs": [0, 1, 2, 3, 4]}
    for cut in ({"select": 0.6, "test": 0.4}, {"select": 0.4, "test": 0.6}):
        with pytest.raises(DataError, match=r"guard high: \d+ images of its (select|test) are \w+ of the run"):
            check_inputs(config(TIGHT, guard={"data": low | cut}), None)
    for cut in ({}, {"select": 0.3, "test": 0.2, "outputs": [4, 3, 2, 1, 0]}):
        meets = {**low, "select": 0.5, "test": 0.5} | cut
        if cut:
            with pytest.raises(DataError, match="of the run"):
                check_inputs(config(TIGHT, guard={"data": meets}), None)
        else:
            assert check_inputs(config("top1 >= parent - 0.01", guard={"data": meets}), None).guards


def test_a_guard_is_part_of_what_a_run_is(config):
    plain, guarded = check_inputs(config(), None), check_inputs(config(TIGHT), None)
    assert "guards" not in plain.identity()
    assert guarded.identity() == plain.identity() | {"guards": guarded.identity()["guards"]}
    assert guarded.identity()["guards"] == {
        "high": {split: one.digest for split, one in guarded.guards[0].inputs.splits.described.items()}
    }


def on_select(result, guard, name):
    """Whether a lineage of the run holds on the guard's ``select``: evaluated anew, by a worker of its own."""
    inputs = check_inputs(guard, None)
    config = resolve(inputs.config, Facts(False))
    evaluator = Evaluator(inputs.parent.model, make_program(inputs, config)).on_guard("high")
    found = Lineage.from_json(result.directory.read_json(f"lineage/{name}.json")["entries"])

    def total(lineage):
        return sum(evaluator.evaluate(Lineage(), lineage.entries, "select", shard)
                   for shard in evaluator.splits.shards("select"))  # fmt: skip

    return inputs.guards[0].fitness.broken(total(found), total(Lineage())) is None


SEARCHES = {
    "decomposition": {"generations": 3},
    "one-plus-lambda": {"generations": 3},
    "mu-lambda": {"generations": 3},
    "evolution-strategy": {"generations": 3, "learning_rate": 3.0},
    "cma-es": {"generations": 3, "dimensions": 6},
    "randopt": {},
    "decomposition racing": {"generations": 2, "racing": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("method", ["top-k", "greedy", "weighted"])
def test_every_search_hands_back_what_holds(search, method, config, tmp_path):
    """Every generation's base as well; killed in the middle and resumed to the byte."""
    name, _, _ = search.partition(" ")
    keys = {
        "search": {"strategy": name, "children": 8, **SEARCHES[search]},
        "mutation": {"parts": 1} if name == "randopt" else {},
        "ensemble": {"method": method, "size": 3, "pool": 6},
        "soup": {"method": {"top-k": "strategy", "greedy": "greedy", "weighted": "uniform"}[method]},
    }
    guarded = config("nll <= parent + 0.02", **keys)
    result = evolve(guarded, tmp_path / "whole", page=False)
    names = ["best", "soup", *(f"bases/g{number:04d}" for number in range(SEARCHES[search].get("generations", 1)))]
    assert all(on_select(result, guarded, one) for one in names)
    for stop in (30, 70):
        directory = tmp_path / f"stopped{stop}"
        try:
            evolve(guarded, directory, page=False, progress=StopsAfter(stop))
        except PulledPlug:
            again = evolve(guarded, directory, page=False, resume=True)
            assert again.summary["guards"] == result.summary["guards"] and again.verdict == result.verdict
            written = {one: again.directory.read(one) for one in FILES if again.directory.exists(one)}
            assert written == {one: result.directory.read(one) for one in FILES if result.directory.exists(one)}


@pytest.mark.slow
def test_ray_gives_the_same_bytes(config, runs, tmp_path, embedded_ray):
    embedded_ray()
    ray = config(TIGHT, compute={"backend": "ray", "workers": 2, "threads_per_worker": 1})
    result, (local, _) = evolve(ray, tmp_path / "run", page=False), runs["tight"]
    assert bytes_of(result.directory) == bytes_of(local.directory)
    assert result.summary["guards"] == local.summary["guards"] and result.verdict == local.verdict


def test_a_worker_has_one_network_whatever_it_guards(config):
    inputs = check_inputs(config(TIGHT), None)
    worker = Evaluator(inputs.parent.model, make_program(inputs, resolve(inputs.config, Facts(False))))
    guard = worker.on_guard("high")
    assert guard is worker.on_guard("high") and guard.host is worker.host and guard.counters is worker.counters
    guard.evaluate(Lineage(), (), "select", 0)
    assert worker.counters.loads == 1 and worker.held() == (("guard/high/select", 0),)
    assert worker.counters.images == len(guard.splits.rows["select"][0])

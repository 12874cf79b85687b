"""Local, and Ray with one, two and three workers: the same population, lineages and predictions, bit for bit."""

from __future__ import annotations

import pytest

from evoray.search import evolve

FILES = ("population.parquet", "predictions.parquet", "ensemble.json")
GENERATIONS = 2


def outputs(result):
    directory = result.directory
    lineages = [f"lineage/{name}" for name in directory.names("lineage") if name.endswith(".json")]
    lineages += [f"lineage/g0001/{name}" for name in directory.names("lineage/g0001")]
    files = {name: directory.read(name) for name in (*FILES, *lineages)}
    summary = {key: value for key, value in result.summary.items() if key not in ("run_id", "work")}
    return files, summary


@pytest.fixture(scope="module")
def reference(tmp_path_factory, parent_file):
    from evoray.config import parse_config
    from evoray.demo import demo_config

    values = demo_config(0, parent_file, "local").model_dump()
    values["data"] |= {"select": 0.1, "test": 0.1}
    values["search"] |= {"children": 6, "generations": GENERATIONS}
    values["ensemble"] |= {"size": 3}
    values["compute"] |= {"workers": 1}
    return outputs(evolve(parse_config(values), tmp_path_factory.mktemp("local") / "run"))


@pytest.fixture(scope="module")
def embedded():
    """One Ray for all runs here; each would start its own, ten seconds a time."""
    from evoray.backends.ray import connect, ray
    from evoray.config import ComputeConfig

    assert connect(ComputeConfig(workers=3)), "a Ray is running already"
    yield
    ray.shutdown()


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize(("backend", "workers"), [("local", 2), ("ray", 1), ("ray", 2), ("ray", 3)])
def test_the_answer_is_the_same(reference, small_run, tmp_path, backend, workers):
    config = small_run(compute__backend=backend, compute__workers=workers, search__generations=GENERATIONS)
    files, summary = outputs(evolve(config, tmp_path / "run"))
    assert files.keys() == reference[0].keys()
    assert [name for name in files if files[name] != reference[0][name]] == []
    assert summary == reference[1]


EVERYTHING = {
    "ensemble__method": "greedy",
    "ensemble__temperature": True,
    "soup__method": "greedy",
    "fitness__name": "macro-f1",
    "fitness__constraints": ("class-accuracy >= parent - 0.1",),
    "statistics__children_on_test": 3,
    "search__children": 9,
}


@pytest.mark.usefixtures("embedded")
def test_choosing_members_soup_and_calibration_is_the_same(small_run, tmp_path):
    one, two, ray = (
        outputs(evolve(small_run(**EVERYTHING, **compute), tmp_path / f"run{number}"))
        for number, compute in enumerate(
            (
                {"compute__workers": 1},
                {"compute__workers": 2},
                {"compute__backend": "ray", "compute__workers": 2},
            )
        )
    )
    assert one == two
    assert one == ray


@pytest.mark.usefixtures("embedded")
def test_the_wire_carries_recipes(small_run, tmp_path):
    """Beyond the parent, once a node: at most 200 bytes a child and unit."""
    config = small_run(compute__backend="ray", compute__workers=1, search__children=60)
    work = evolve(config, tmp_path / "run").summary["work"]
    assert work["nodes"] == 1 and work["parent_bytes"] > 105_866 * 4
    evaluations = (60 + 1 + 6) * 5
    assert work["bytes_to_workers"] - work["parent_bytes"] < 200 * evaluations

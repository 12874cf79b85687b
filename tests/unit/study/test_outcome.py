from __future__ import annotations

import json

import pyarrow as pa
import pytest
from runs import NETWORKS, write_finished

from evoray.errors import UsageError
from evoray.statistics import Comparison
from evoray.storage.directory import RunDirectory
from evoray.study.outcome import read_outcome
from evoray.study.plan import cases


@pytest.fixture
def planned(study, study_file):
    """The first setting of the sparse side, of one generation."""
    return next(iter(cases(study, study_file.parent))).grid()[0]


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(str(tmp_path / "run"))


def read(directory):
    return read_outcome(directory, parent="cnn", role="grid", arm="sparse", side="sparse")


def test_an_outcome_is_what_the_files_say(planned, directory):
    write_finished(directory, planned.config, nll=0.45)
    found = read(directory)
    assert (found.parent, found.role, found.arm, found.side) == ("cnn", "grid", "sparse", "sparse")
    assert (found.seed, found.parts, found.sigma, found.generations) == (0, 4, 0.05, 1)
    assert (found.evaluations, found.select_fitness, found.curve) == (4, -0.5, (-0.5,))
    assert found.fitness == {"parent": 0.6, "best_child": 0.45, "soup": 0.45, "ensemble": 0.45}
    assert (found.measure.key, found.beside.key) == ("nll", "top1")
    assert found.others == {"parent": 0.89, "best_child": 0.9, "soup": 0.9, "ensemble": 0.9}
    assert (found.images, found.seconds, found.run) == (1000, 2.5, directory.location)


def test_differences_are_those_of_the_paired_comparison(planned, directory):
    write_finished(directory, planned.config, nll=0.45)
    found = read(directory)
    assert found.difference("soup") == pytest.approx(-0.15)
    assert found.difference("soup", found.beside) == 0.01
    assert found.difference("mine") == 0.0


def test_other_measures_and_networks_are_left_out(planned, directory):
    write_finished(directory, planned.config)
    summary = directory.read_json("summary.json")
    more = [Comparison("soup", "top5", 0.1, (0, 1), 1).to_dict(), Comparison("mine", "nll", 0.1, (0, 1), 1).to_dict()]
    directory.write_json("summary.json", summary | {"comparisons": summary["comparisons"] + more})
    found = read(directory)
    assert set(found.comparisons) == {"nll", "top1"}
    assert all(set(found.comparisons[metric]) == set(NETWORKS) for metric in ("nll", "top1"))


def test_the_window_is_of_the_children_that_did_not_fail(planned, directory):
    write_finished(directory, planned.config, select=0.6, children=(0.5, 0.7, None, 0.8))
    window = read(directory).window
    assert (window.children, window.failed) == (4, 1)
    assert window.mean == pytest.approx((-0.1 + 0.1 + 0.2) / 3) and window.best == pytest.approx(-0.1)
    assert window.spread == pytest.approx(0.1527525, abs=1e-6)  # of -0.1, 0.1, 0.2, over n - 1
    assert window.better == pytest.approx(1 / 3)


def test_one_child_has_no_spread(planned, directory):
    write_finished(directory, planned.config, children=(0.5,))
    assert read(directory).window.spread == 0.0


def test_the_curve_is_the_best_so_far_and_several_generations_have_no_window(study, study_file, directory):
    case = next(iter(cases(study, study_file.parent)))
    grid = case.grid()
    longer = case.long({"sparse": grid[0], "dense": grid[2]})[0].config
    write_finished(directory, longer, fitness=(-0.5, -0.6))
    found = read(directory)
    assert (found.generations, found.evaluations) == (2, 4 + 5)
    assert found.curve == (-0.5, -0.5) and found.select_fitness == -0.5
    assert found.window is None


def test_a_generation_without_a_best_is_passed_over(study, study_file, directory):
    case = next(iter(cases(study, study_file.parent)))
    longer = case.long({"sparse": case.grid()[0], "dense": case.grid()[2]})[0].config
    write_finished(directory, longer, fitness=(-0.5, None))
    assert read(directory).curve == (-0.5, -0.5)


def test_it_goes_into_json_whole(planned, directory):
    write_finished(directory, planned.config)
    values = json.loads(json.dumps(read(directory).to_dict()))
    assert len(values["comparisons"]) == 6 and values["window"]["failed"] == 1
    assert {"parent", "seed", "nll", "curve", "images"} <= set(values)


@pytest.mark.parametrize("name", ["summary.json", "config.json", "metrics.jsonl", "population.parquet"])
def test_a_missing_file_is_named(name, planned, directory):
    write_finished(directory, planned.config)
    directory.remove(name)
    with pytest.raises(UsageError, match=f"no {name} in it"):
        read(directory)


@pytest.mark.parametrize(
    ("fitness", "unit", "higher", "sign"), [("macro-f1", "fraction", True, 1), ("cost", "per image", False, -1)]
)
def test_the_runs_fitness_comes_first_in_its_own_direction(planned, directory, fitness, unit, higher, sign):
    """Comparisons and the population hold it with its sign turned, so that higher is better; people read costs."""
    write_finished(directory, planned.config)
    summary = directory.read_json("summary.json")
    values = {"parent": 0.5, "best_child": 0.6, "soup": 0.7, "ensemble": 0.8}
    measure = {"label": "Its name", "short": "Short", "unit": unit, "higher_is_better": higher, "said": "its name"}
    nll = {"label": "NLL", "short": "NLL", "unit": "nats per image", "higher_is_better": False, "said": "NLL"}
    for name in NETWORKS:
        summary[name] = {**summary[name], fitness: values[name]}
    for split in ("select", "test"):
        summary["parent"][split][fitness] = values["parent"]
    turned = [Comparison(n, "fitness", sign * (values[n] - 0.5), (0.0, 0.1), 0.5).to_dict() for n in NETWORKS]
    summary |= {"fitness": fitness, "measures": {fitness: measure, "nll": nll, "top1": nll}}
    directory.write_json("summary.json", summary | {"comparisons": [*turned, *summary["comparisons"]]})
    population = {"status": ["ok", "ok"], "select_nll": [9.0, 9.0], "select_fitness": [sign * 0.4, sign * 0.7]}
    directory.write_table("population.parquet", pa.table(population))
    found = read(directory)
    assert (found.measure.key, found.measure.unit, found.beside.key) == (fitness, unit, "nll")
    assert found.fitness == values and found.others["soup"] == 0.5
    assert found.difference("soup") == pytest.approx(0.2)
    assert found.window.best == pytest.approx(0.2 if higher else -0.1) and found.window.better == 0.5

from __future__ import annotations

import pytest
from pictures import GREY, grey_records

from evoray.begin.check import problems
from evoray.begin.check.problems import Problems, look_at
from evoray.errors import DataError
from evoray.ingest.ingest import ingest_dataset
from evoray.search import inputs as steps
from evoray.search.inputs import check_inputs

RUN = """
[parent]
source = "module"
name = "evoray.models.small:cnn"
weights = "random"
[data]
path = "mnist5k"
select = 0.01
test = 0.01
"""


@pytest.fixture
def found(tmp_path):
    """Problems of a run that is written like this."""

    def look(text, *overrides):
        path = tmp_path / "run.toml"
        path.write_text(text)
        inputs, lines = look_at(path, overrides)
        assert (inputs is None) == bool(lines)
        return lines

    return look


def test_a_run_without_problems_has_the_inputs_of_evolve(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN)
    inputs, lines = look_at(path)
    assert lines == [] and inputs is not None
    assert inputs.identity() == check_inputs(inputs.config, tmp_path).identity()


def test_every_wrong_key_parent_and_data_are_told_at_once(found):
    text = RUN.replace("small:cnn", "small:cmm").replace("mnist5k", "no/shards") + "[search]\nchildrn = 3\n"
    key, other, data, parent = found(text + "[compute]\ndtype = 'float8'\n")
    assert "search.childrn" in key and "compute.dtype" in other
    assert "cmm" in parent and "no/shards" in data


def test_parent_data_and_test_set_are_each_told(found):
    text = RUN.replace("small:cnn", "small:cmm").replace("mnist5k", "no/shards")
    lines = found(text, "data.test_path=no/others")
    assert len(lines) == 3 and all(any(name in line for line in lines) for name in ("cmm", "no/shards", "no/others"))


def test_what_is_asked_of_good_data_is_told_beside_a_bad_parent(found):
    lines = found(RUN.replace("small:cnn", "small:cmm"), "fitness.name=nlll", "data.select=0.0001")
    assert len(lines) == 3
    assert any("nlll" in line for line in lines) and any("data.select" in line for line in lines)


def test_a_tracker_that_is_none_is_told_beside_a_bad_parent(found):
    parent, tracker = found(RUN.replace("small:cnn", "small:cmm") + "[tracking]\nto = 'mlfow'\n")
    assert "cmm" in parent and 'Did you mean "mlflow"?' in tracker


def test_a_backend_of_the_user_s_has_to_be_there(found):
    (line,) = found(RUN, "compute.backend=nowhere:make")
    assert "nowhere" in line


def test_a_file_that_is_none_is_the_only_problem(tmp_path):
    (tmp_path / "run.toml").write_text("parent = [")
    assert ["not TOML" in line for line in look_at(tmp_path / "run.toml")[1]] == [True]
    assert ["no such file" in line for line in look_at(tmp_path / "absent.toml")[1]] == [True]


def test_what_parent_and_data_have_to_fit_is_told(found, tmp_path):
    ingest_dataset(grey_records(23), tmp_path / "shards", GREY, shard_size=10)
    (tmp_path / "net.py").write_text("from torch import nn\ndef two():\n    return nn.Linear(16, 2)\n")
    halves = ("data.select=0.5", "data.test=0.5", "parent.name=net:two")
    (line,) = found(RUN.replace("mnist5k", str(tmp_path / "shards")), *halves)
    assert line.startswith("the parent")


@pytest.mark.parametrize("data", ["data.path=no/shards", "fitness.name=nlll", "data.select=0.0001"])
def test_weights_that_are_none_are_told_beside_what_is_wrong_with_the_data(found, data):
    lines = found(RUN, data, 'mutation.include=["nothing.*"]')
    assert len(lines) == 2 and any("nothing.*" in line for line in lines)


def test_weights_that_are_none_hide_no_network_that_does_not_fit_the_data(found, tmp_path):
    ingest_dataset(grey_records(23), tmp_path / "shards", GREY, shard_size=10)
    (tmp_path / "net.py").write_text("from torch import nn\ndef two():\n    return nn.Linear(16, 2)\n")
    asked = ("data.select=0.5", "data.test=0.5", "parent.name=net:two", 'mutation.include=["nothing.*"]')
    lines = found(RUN.replace("mnist5k", str(tmp_path / "shards")), *asked)
    assert len(lines) == 2 and any("nothing.*" in line for line in lines)
    assert any(line.startswith("the parent") for line in lines)


def test_every_guard_that_cannot_be_used_is_told(found):
    guards = """
[[guard]]
path = "mnist5k-train"
name = "one"
keep = "top9 >= parent - 0.01"
[[guard]]
path = "no/such"
name = "two"
keep = "top1 >= parent - 0.01"
"""
    lines = found(RUN + guards)
    assert len(lines) == 2 and lines[0].startswith("guard one: ") and lines[1].startswith("guard two: ")


def test_data_of_guards_is_looked_at_where_the_run_itself_is_wrong(found):
    lines = found(RUN.replace("small:cnn", "small:cmm") + '[[guard]]\npath = "no/such"\nkeep = "top1 >= parent"\n')
    assert len(lines) == 2 and lines[1].startswith("guard such: no/such")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("search.children=many", ["nlll", "data.select"]),
        ("mutation.sigma=much", ["nlll", "data.select"]),
        ("parent.classes=ten", ["nlll", "data.select"]),
        ("data.cache_gb=much", ["nlll"]),
        ("fitness.weight=much", ["data.select"]),
        ("search.childrn=3", ["nlll", "data.select"]),
        ("parent=3", ["nlll", "data.select"]),
        ("guard=[3]", ["nlll", "data.select"]),
    ],
)
def test_a_wrong_key_hides_no_problem_of_what_does_not_depend_on_it(found, key, told):
    lines = found(RUN, key, "fitness.name=nlll", "data.select=0.0001")
    assert key.partition("=")[0].partition(".")[2] in lines[0] and len(lines) == 1 + len(told)
    assert all(any(word in line for line in lines[1:]) for word in told)


def test_a_wrong_key_of_the_search_hides_no_network_that_does_not_fit_the_data(found, tmp_path):
    ingest_dataset(grey_records(23), tmp_path / "shards", GREY, shard_size=10)
    (tmp_path / "net.py").write_text("from torch import nn\ndef two():\n    return nn.Linear(16, 2)\n")
    asked = ("data.select=0.5", "data.test=0.5", "parent.name=net:two", "search.children=many")
    key, fit = found(RUN.replace("mnist5k", str(tmp_path / "shards")), *asked)
    assert "search.children" in key and fit.startswith("the parent")


def test_a_wrong_key_alone_is_the_only_problem(found):
    for key in (
        "search.children=many",
        "mutation.sigma=much",
        "data.select=half",
        "task.name=3",
        "compute.dtype=float8",
    ):
        (line,) = found(RUN, key)
        assert key.partition(".")[0] in line


def test_a_problem_is_told_once():
    def fails():
        raise DataError("gone")

    kept = Problems()
    assert [kept.tried(fails), kept.tried(fails), kept.tried(lambda: 3)] == [None, None, 3]
    assert kept.lines == ["gone"]


def test_no_check_of_evolve_is_left_out():
    """Both go through the same steps: a new one is one of CHECKS, or stands in ``together``."""
    assert problems.CHECKS is steps.CHECKS and problems.together is steps.together


ODD = (
    "",
    "parent = 3",
    "parent = []\ndata = []",
    "[[parent]]\nname = 1",
    '[parent]\nname = "x"\n[data]\npath = 3',
    '[parent]\nname = "resnet18"\nweights = "\\u0000"\n[data]\npath = "\\u0000"',
    '[parent]\nname = "resnet18"\nweights = "$NOPE/x.pth"\n[data]\npath = "~nobody/x"\ntest_path = "s3://"',
    '[parent]\nname = "/dev/null"\nweights = "/dev/null"\n[data]\npath = "/dev/null"',
    '[parent]\nsource = "onnx"\nname = "x"\n[data]\npath = "mock:nonsense"\n[task]\nname = "no:such"',
    '[parent]\nsource = "module"\nname = "no:such"\n[data]\npath = "."\n[search]\nstrategy = "no:such"',
)


@pytest.mark.parametrize("text", ODD)
def test_whatever_a_file_says_is_answered_by_problems(found, text):
    lines = found(text)
    assert lines and len(set(lines)) == len(lines) and not any("Traceback" in line for line in lines)

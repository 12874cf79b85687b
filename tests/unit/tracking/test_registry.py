"""Which trackers there are, and what is said where one is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evoray.errors import ConfigError
from evoray.tracking import registry
from evoray.tracking.registry import TRACKERS, Entry, check_trackers, make_tracker

HERE = Path(__file__).parent


def test_those_of_the_package_are_found_without_being_imported():
    before = {"mlflow", "wandb"} & sys.modules.keys()
    check_trackers(TRACKERS)
    assert {"mlflow", "wandb"} & sys.modules.keys() == before


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_one_that_is_not_installed_says_how(name, monkeypatch):
    monkeypatch.setitem(TRACKERS, name, Entry(TRACKERS[name].where, ("no_such_library",)))
    with pytest.raises(ConfigError) as refused:
        check_trackers([name])
    assert f'pip install "evoray[{name}]"' in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("comet", "none of tensorboard, mlflow, wandb, package.module:Class"),
        ("mlfow", 'Did you mean "mlflow"?'),
        ("fakes:Nobody", "has no Nobody"),
        ("nowhere:Tracker", "no module nowhere"),
        ("evoray.nowhere.at_all:Tracker", "no module evoray.nowhere.at_all"),
        ("fakes:", "no module"),
    ],
)
def test_one_that_is_none_is_refused(name, said):
    with pytest.raises(ConfigError) as refused:
        check_trackers([name], HERE)
    assert said in str(refused.value)


def test_one_without_the_methods_says_which(tmp_path):
    (tmp_path / "half_a_tracker.py").write_text("class Half:\n    def begin(self, beginning): ...\n")
    check_trackers(["half_a_tracker:Half"], tmp_path)
    with pytest.raises(ConfigError, match=r"it has no round, end"):
        make_tracker("half_a_tracker:Half", tmp_path)


def test_a_user_s_own_is_no_part_of_the_run_s_code(tmp_path):
    """It is found without being imported: a run may go on with another one, or with one that was changed."""
    (tmp_path / "loud_tracker.py").write_text("raise SystemExit('imported')\nclass Loud: ...\n")
    check_trackers(["loud_tracker:Loud"], tmp_path)


def test_a_user_s_own_is_looked_for_in_the_configuration_s_folder():
    check_trackers(["fakes:Keeps"], HERE)
    assert type(make_tracker("fakes:Keeps", HERE)).__name__ == "Keeps"


def test_every_extra_is_one_of_the_package():
    import tomllib

    extras = tomllib.loads((HERE.parents[2] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert registry.TRACKERS.keys() <= extras.keys()

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from evoray.models import small, write_state
from evoray.study.peers.problem import Network, Sizes
from evoray.study.peers.runner import Plan, opened
from evoray.study.small_parents import Recipe, checkpoint

SIZES = Sizes(select=40, test=60, evaluations=60)


def write_parent(out, name, seed):
    """A network that nobody trained, with the record of one that was: what a plan needs of a parent."""
    path = checkpoint(out / "parents", name, seed, "early")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    write_state(path, getattr(small, name)().model.state_dict())
    path.with_suffix(".json").write_text(json.dumps({"recipe": asdict(Recipe())}))


@pytest.fixture(scope="session")
def peers_folder(tmp_path_factory):
    """Parents and images of two seeds, made once."""
    out = tmp_path_factory.mktemp("peers")
    plan = Plan(out, ("resnet",), (0, 1), SIZES)
    for seed in plan.seeds:
        write_parent(out, "resnet", seed)
        opened(plan, f"resnet-{seed}")
    return out


@pytest.fixture
def plan(peers_folder, tmp_path):
    """A plan in a folder of its own, with the parents and images of all."""
    for name in ("parents", "data"):
        (tmp_path / name).symlink_to(peers_folder / name)
    return Plan(tmp_path, ("resnet",), (0, 1), SIZES)


@pytest.fixture
def problem(plan):
    return opened(plan, "resnet-0")


@pytest.fixture
def network(problem):
    return Network(problem)

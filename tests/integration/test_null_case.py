"""A search with nothing to go by: its fitness is noise, so the verdict has to be "no improvement shown".

The children are real, and their average may well have a lower NLL than the parent; that is said, but it is not what
the search was asked for, and it is no proof that the search did anything.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evoray.evolution import evolve

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import null_case

NOISE = '''
import torch

def noise(logits, labels):
    """A number between -1 and 1 an image that has nothing to do with the labels; the same for the same logits."""
    return torch.frac(torch.sin(logits.double().sum(1) * 1e5) * 43758.5453)
'''


@pytest.fixture
def claims(small_run, tmp_path):
    (tmp_path / "null_case.py").write_text(NOISE)

    def count(seeds):
        said = []
        for seed in seeds:
            config = small_run(
                fitness__name="null_case:noise", search__children=10, data__select=0.05, statistics__children_on_test=0
            )
            config = config.model_copy(update={"seed": seed})
            said.append(evolve(config, tmp_path / f"run{seed}", config_dir=tmp_path, page=False).verdict)
        return [verdict for verdict in said if not verdict.startswith("No improvement shown")]

    return count


def test_noise_claims_nothing(claims):
    assert claims(range(3)) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_at_most_five_of_a_hundred_seeds_claim_an_improvement(claims):
    assert len(claims(range(100))) <= 5


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    null_case.cases.prepare(folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", null_case.TASKS)
def test_every_task_claims_something_at_most_five_times_in_a_hundred(task, ground):
    assert len(null_case.claims(task, ground, range(100))) <= 5

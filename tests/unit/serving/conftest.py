from __future__ import annotations

import numpy as np
import pytest
from served_app import App
from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def served_run(small_run, tmp_path_factory):
    """A finished run with a soup and an ensemble at a temperature of its own."""
    from evoray import evolve

    place = tmp_path_factory.mktemp("served") / "run"
    return evolve(small_run(ensemble__temperature=True, compute__device="cpu"), str(place))


@pytest.fixture(scope="session")
def test_pictures(served_run):
    """uint8 [n, 1, 28, 28] of the run's test set, in the order of predictions.parquet."""
    from evoray.data import open_dataset

    dataset = open_dataset("mnist5k")
    images = np.concatenate([dataset.load(shard).images for shard in range(len(dataset.shard_rows))])
    return images[served_run.directory.read_table("predictions.parquet")["index"].to_numpy()]


@pytest.fixture(scope="session")
def predictor(served_run):
    from evoray.serving.plan import Plan
    from evoray.serving.predictor import Predictor

    return Predictor(Plan(served_run.directory.location, "ensemble", "."))


@pytest.fixture
def client(predictor):
    """Asks the predictor of the run's ensemble; ``make`` gives one with other limits."""

    def make(**how):
        return TestClient(App(predictor, **how), raise_server_exceptions=True)

    found = make()
    found.make = make
    return found

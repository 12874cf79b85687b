"""``[tracking]``: what it takes and refuses; and it is no part of what a run is."""

from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.errors import ConfigError

RUN = {"parent": {"name": "cnn", "weights": "random"}, "data": {"path": "mnist5k"}}


def parsed(**tracking):
    return parse_config({**RUN, "tracking": tracking})


@pytest.mark.parametrize("to", ["mlflow", ["mlflow"], ("mlflow",)])
def test_one_tracker_or_several(to):
    assert parsed(to=to).tracking.to == ("mlflow",)


def test_a_run_without_trackers_is_recorded_as_before_there_were_any():
    assert "tracking" not in parse_config(RUN).model_dump(mode="json")
    assert "tracking" not in parsed(to=[], name="x").model_dump(mode="json")


def test_a_run_with_trackers_reads_its_own_record():
    config = parsed(to=["tensorboard", "wandb"], mode="offline", patience=3)
    assert parse_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("tracking", "said"),
    [
        ({"to": ["wandb", "mlflow", "wandb"]}, '"wandb" stands there twice'),
        ({"to": "mlflow", "uri": "https://me:secret@server"}, "Set MLFLOW_TRACKING_USERNAME"),
        ({"to": "mlflow", "uri": "http://server", "mode": "offline"}, "leave one of them out"),
        ({"to": "wandb", "mode": "disabled"}, '"online" or "offline"'),
        ({"to": "wandb", "artifacts": "all"}, '"lineage", "weights" or "none"'),
        ({"to": "wandb", "patience": 0}, "a number above 0 and at most 3,600"),
        ({"to": "wandb", "directory": "s3://bucket/runs"}, "a folder of this machine"),
        ({"to": 3}, "tracking.to = 3"),
        ({"to": [""]}, "tracking.to"),
        ({"tos": "wandb"}, "did you mean tracking.to?"),
    ],
)
def test_what_it_refuses_names_key_and_remedy(tracking, said):
    with pytest.raises(ConfigError) as refused:
        parsed(**tracking)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)

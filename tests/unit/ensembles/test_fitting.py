from __future__ import annotations

import pytest

from evoray.config import parse_config
from evoray.ensembles.fitting import check_ensemble
from evoray.errors import ConfigError
from evoray.tasks.registry import make_task


@pytest.mark.parametrize(
    ("task", "ensemble", "message"),
    [
        ("regression", {"temperature": True}, "regression makes no ensemble"),
        ("generation", {"temperature": True}, "no confidence to scale"),
        ("generation", {"keep_logits": True}, "answers and no logits"),
        ("generation", {"method": "greedy"}, 'Take "majority"'),
        ("generation", {"method": "weighted"}, 'Take "majority"'),
        ("generation", {"method": "majority"}, None),
        ("generation", {}, None),
        ("image-classification", {"temperature": True, "keep_logits": True, "method": "greedy"}, None),
        ("regression", {"method": "greedy"}, None),
        ("regression", {"keep_logits": True}, "keep_logits = true: regression makes no ensemble"),
    ],
)
def test_what_a_tasks_ensemble_has_not_is_refused(task, ensemble, message):
    values = {"parent": {"name": "m:f", "source": "module"}, "data": {"path": "x"}, "task": {"name": task}}
    config = parse_config({**values, "ensemble": ensemble})
    if message is None:
        check_ensemble(config, make_task(task))
        return
    with pytest.raises(ConfigError, match=message):
        check_ensemble(config, make_task(task))

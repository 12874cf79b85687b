"""Before a run: what of ``[ensemble]`` does its task not have?"""

from evoray.config import RunConfig
from evoray.errors import ConfigError
from evoray.tasks.base import Task

OF_PROBABILITIES = ("greedy", "weighted")
"""Methods that choose by the probability of the true class."""


def check_ensemble(config: RunConfig, task: Task) -> None:
    """Raises ConfigError where a key asks for what the task's ensemble has not."""
    own, name = config.ensemble, config.task.name
    if task.combine is None:
        for key in ("temperature", "keep_logits"):
            if getattr(own, key):
                raise ConfigError(f"ensemble.{key} = true: {name} makes no ensemble. Switch it off.")
        return
    if task.classification is not None:
        return
    if own.temperature:
        raise ConfigError(
            f"ensemble.temperature = true: an ensemble of {name} is a vote over answers, which has no confidence to "
            "scale. Switch it off."
        )
    if own.keep_logits:
        raise ConfigError(f"ensemble.keep_logits = true: members of {name} give answers and no logits. Switch it off.")
    if own.method in OF_PROBABILITIES:
        raise ConfigError(
            f'ensemble.method = "{own.method}": it weighs members by the probability of the true class, which {name} '
            'has not. Take "majority", the fittest with a vote each.'
        )

"""Guards between a strategy and its rounds: no next parent breaks one.

A strategy is told that who breaks a guard has failed, like one that breaks a constraint.
"""

import math
from collections.abc import Sequence

from evoray.errors import RunError
from evoray.search.guards.judge import Guards, better_than
from evoray.search.population import Evaluated
from evoray.strategies import Ask, Round, Strategy


def next_round(strategy: Strategy, guards: Guards) -> Round | None:
    """The strategy's next round, around a network that holds every guard.

    Raises:
        RunError: a strategy of the user's own went on from a network that breaks one.
    """
    asked = strategy.ask()
    if guards and asked is not None:
        _check_base(strategy, asked, guards)
    return asked


def told(fresh: Sequence[Evaluated], before: Sequence[Evaluated], winners: int, guards: Guards) -> list[float]:
    """What the strategy is told of a round: each candidate's fitness, -inf for those that are passed over.

    Tried are those fitter than all that was told before, in rank order: until ``winners`` children stand, or one soup.

    Args:
        fresh: the round's candidates. before: those of the rounds before.
    """
    if not guards or not winners:
        return [one.fitness for one in fresh]
    kind, where = fresh[-1].ask.kind, _where(fresh[-1].ask)
    bar = max((one.fitness for one in (*before, *fresh) if guards.held(one.ask.lineage)), default=-math.inf)
    ranked = better_than([one for one in fresh if one.ask.kind == kind], bar)
    tried = guards.first(ranked, winners if kind == "child" else 1, where)
    return [-math.inf if one.ask.name in tried.passed else one.fitness for one in fresh]


def _check_base(strategy: Strategy, asked: Round, guards: Guards) -> None:
    last = asked.asks[-1]
    if not guards.judge([Ask(f"{_where(last)}/base", asked.base, last.generation, "soup")], _where(last)):
        raise RunError(
            f"search.strategy: {type(strategy).__name__} went on from a network that breaks a guard, or that none "
            "judged. Who is told -inf has failed; go on from the best of those that have not."
        )


def _where(ask: Ask) -> str:
    return f"g{ask.generation:04d}"

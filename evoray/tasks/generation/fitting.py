"""Before a run: is a reward a function of its arguments, and does it give anything?"""

from __future__ import annotations

from collections.abc import Sequence

from evoray.errors import ConfigError
from evoray.runtime.reading import shown
from evoray.tasks.generation.asking import Question
from evoray.tasks.generation.rewards import Rewards

TEMPLATE, LONGEST = "template", "longest"
"""Of a manifest's ``read``: the digest of the chat template that wrote its prompts, if one did; and (tokens, record) of
its longest prompt."""


def check_rewards(rewards: Rewards, questions: Sequence[Question], lowest: float) -> tuple[str, ...]:
    """Asks each twice, by two processes and in two orders; returns what is to be said.

    Raises:
        ConfigError: every one fails; one is another the second time; one is below what a failure counts.
    """
    first = rewards.ask(questions)
    name = f"task.reward = {shown(rewards.name)!r}"
    failures = [(row, one) for row, one in enumerate(first) if one.reward is None]
    if failures:
        said = f"{_answer(questions[failures[0][0]])}: {failures[0][1].failure}"
    if len(failures) == len(questions):
        raise ConfigError(f"{name}: it fails for each of the parent's first {len(questions)} answers. {said}")
    rewards.renewed()
    again = rewards.ask(questions[::-1])[::-1]
    for question, one, other in zip(questions, first, again, strict=True):
        if (one.reward, one.voted) != (other.reward, other.voted) and "took more" not in one.failure + other.failure:
            before, after = (
                f"{found.reward if found.reward is not None else 'a failure'} ({shown(found.voted, 40)!r})"
                for found in (one, other)
            )
            raise ConfigError(
                f"{name}: {_answer(question)} has {before}, and asked again {after}. A reward has to depend on "
                "(prompt, answer, record) alone: draw random numbers from a generator seeded in each call, keep "
                "nothing between calls, and do not rely on the order of a set."
            )
    low = [one.reward for one in first if one.reward is not None and one.reward < lowest]
    if low:
        raise ConfigError(f"{below(lowest, min(low), 'an answer of the parent')}.")
    return (f"{name}: {len(failures)} of {len(questions)} rewards failed. {said}",) if failures else ()


def below(lowest: float, reward: float, whose: str) -> str:
    """What is said of a reward below what a failure counts."""
    return (
        f"task.lowest = {lowest:g}: what fails counts more than {whose}, whose reward is {reward:g}, so that failing "
        "pays. Set it to the lowest reward that there is"
    )


def _answer(question: Question) -> str:
    return f"to the prompt {shown(question[0], 60)!r} the answer {shown(question[1], 60)!r}"

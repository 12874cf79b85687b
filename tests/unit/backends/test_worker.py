from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from evoray.backends.base import Counters
from evoray.backends.worker import evaluate, own_error
from evoray.errors import DataError, EvaluationError

UNIT = {"shard": 0}


def ends(state):
    sys.exit(3)


def closes(state):
    raise GeneratorExit


@pytest.mark.parametrize("run", [ends, closes])
def test_a_unit_whose_code_ends_the_program_is_an_error_of_the_run(run):
    with pytest.raises(EvaluationError, match=r"your code ends the program .*test_worker.py, line \d+"):
        evaluate(SimpleNamespace(run=run, **UNIT), Counted(), "r")


class Counted:
    """A worker's state, as far as an evaluation that fails looks at it."""

    counters = Counters()


@pytest.mark.parametrize(
    ("error", "words"),
    [(DataError("a shard"), "^a shard$"), (KeyError("x"), "a worker raised KeyError: 'x'"), (None, "nothing")],
)
def test_what_a_unit_raised_is_evorays_own_error(error, words):
    with pytest.raises((DataError, EvaluationError), match=words):
        raise own_error(error)

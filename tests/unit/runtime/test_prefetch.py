from __future__ import annotations

import threading

import pytest

from evoray.runtime.prefetch import one_ahead


def test_values_come_in_order():
    assert list(one_ahead(lambda item: item * item, range(50))) == [item * item for item in range(50)]
    assert list(one_ahead(str, [])) == []


def test_the_next_is_made_while_this_one_is_worked_on():
    begun = [threading.Event() for _ in range(3)]

    def make(item):
        begun[item].set()
        return item

    for item in one_ahead(make, range(3)):
        if item < 2:
            assert begun[item + 1].wait(5)


def test_never_more_than_one_ahead():
    made = []
    for item in one_ahead(lambda item: made.append(item) or item, range(6)):
        assert len(made) <= item + 2


def test_an_error_comes_when_its_turn_comes():
    found = one_ahead(lambda item: 1 // item, [1, 0])
    assert next(found) == 1
    with pytest.raises(ZeroDivisionError):
        next(found)

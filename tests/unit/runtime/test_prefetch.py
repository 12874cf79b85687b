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


def test_one_item_needs_no_other():
    assert list(one_ahead(lambda item: -item, iter([7]))) == [-7]


def test_who_stops_early_leaves_no_thread_at_work():
    made = []
    found = one_ahead(lambda item: made.append(item) or item, range(100))
    assert next(found) == 0
    found.close()
    assert len(made) <= 2
    assert not any(thread.name.startswith("evoray-ahead") for thread in threading.enumerate())


def test_an_error_of_the_items_comes_through():
    def items():
        yield 1
        yield 2
        raise LookupError("no more")

    found = one_ahead(str, items())
    assert next(found) == "1"
    with pytest.raises(LookupError, match="no more"):
        list(found)


def test_all_is_made_on_one_thread_that_is_not_the_callers():
    names = set(one_ahead(lambda _: threading.current_thread().name, range(5)))
    assert len(names) == 1 and threading.current_thread().name not in names

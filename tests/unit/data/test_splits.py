from __future__ import annotations

import pytest

from evoray.config import DataConfig
from evoray.data.splits import SearchClosed, Splits
from evoray.errors import RunError

MOCK = "mock:images=60,size=4,classes=3"


@pytest.fixture(params=[None, "mock:images=40,size=4,classes=3"], ids=["one set", "a set of its own"])
def splits(request):
    values = {"path": MOCK} if request.param is None else {"path": MOCK, "test_path": request.param}
    return Splits(DataConfig(**values), 0, None)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda splits: splits.shards("test"),
        lambda splits: splits.rows["test"],
        lambda splits: splits.datasets["test"],
        lambda splits: splits.first_row("test", 0),
    ],
)
def test_test_cannot_be_read_while_the_search_goes_on(splits, attempt):
    with pytest.raises(RunError, match="before the search was over"):
        attempt(splits)
    splits.open_test(SearchClosed("run"))
    attempt(splits)


def test_only_the_end_of_a_search_opens_it(splits):
    with pytest.raises(RunError, match="SearchClosed"):
        splits.open_test(True)


def test_what_may_be_known_before(splits):
    assert splits.images("test") in (30, 40)
    assert splits.described["test"].image_shape == (3, 4, 4)
    splits.open_test(SearchClosed("run"))
    assert sum(len(rows) for rows in splits.rows["test"]) == splits.images("test")


def test_a_worker_closes_it_again(splits):
    """It may go on to another run of the same parent and data."""
    for _ in range(2):
        with splits.opened(SearchClosed("run")):
            assert splits.shards("test")
        with pytest.raises(RunError, match="before the search was over"):
            splits.shards("test")
    with splits.opened(None), pytest.raises(RunError, match="before the search was over"):
        splits.shards("test")


@pytest.mark.parametrize(
    ("ours", "theirs", "meet"),
    [
        ({"select": 0.5, "test": 0.5}, ("select", "test"), 0),
        ({"select": 0.5, "test": 0.5}, ("select", "select"), 30),
        ({"select": 0.7, "test": 0.3}, ("select", "test"), 12),
        ({"select": 0.3, "test": 0.7}, ("test", "select"), 12),
        ({"path": "mock:images=61,size=4,classes=3"}, ("select", "select"), 0),
        ({"path": "mock:images=9,size=4,classes=3", "test_path": MOCK}, ("test", "select"), 30),
        ({"path": "mock:images=9,size=4,classes=3", "test_path": MOCK}, ("select", "select"), 0),
        ({"outputs": [2, 0, 1]}, ("select", "select"), 30),
    ],
)
def test_whether_two_runs_see_the_same_records_is_known_without_reading_any(ours, theirs, meet):
    run, other = Splits(DataConfig(path=MOCK), 0, None), Splits(DataConfig(**{"path": MOCK, **ours}), 0, None)
    own, their = theirs
    assert other.meet(own, run, their) == run.meet(their, other, own) == meet
    assert not run.test_is_open and not other.test_is_open

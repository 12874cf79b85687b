"""One ahead: the next item is made on another thread while the caller works on this one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def one_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """``map(make, items)``: the same values in the same order. At most two of them exist at a time."""
    with ThreadPoolExecutor(1, "evoray-ahead") as pool:
        current: Future[Made] | None = None
        for item in items:
            following = pool.submit(make, item)
            if current is not None:
                yield current.result()
            current = following
        if current is not None:
            yield current.result()

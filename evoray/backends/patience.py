"""A cluster of our own that takes longer to start than Ray waits: a second try, with what the first one has warmed up.

On a fresh machine the first start compiles Ray's own modules; after that it is several times as fast.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from evoray.runtime.reading import reason_of

LOG = logging.getLogger("evoray")
LONGER_S = 180.0
"""What the second try waits, in place of Ray's 30 s."""
VARIABLE = "RAY_gcs_server_port_wait_time_s"
_WORDS = (
    *("timed out", "may not have started", "to become available", "no node info found", "failed to get node info"),
    *("deadline exceeded", "failed to connect to gcs", "unable to connect to gcs"),
)
T = TypeVar("T")


def is_slow(error: BaseException) -> bool:
    """Whether something had not started in time, as far as Ray's own words say so; it raises plain exceptions."""
    text = " ".join(str(error).lower().split())
    return isinstance(error, TimeoutError | ConnectionError) or any(words in text for words in _WORDS)


def twice(start: Callable[[float], T], clear: Callable[[], object]) -> T:
    """What ``start`` returns, called again with a longer wait (in seconds) where the first call, with 0 for Ray's own,
    was too slow; ``clear`` removes what that one has left. Whatever else is raised goes to the caller at once."""
    try:
        return start(0.0)
    except Exception as error:
        clear()
        if not is_slow(error):
            raise
        LOG.warning("Ray has not started in time (%s); trying once more, for up to %.0f s", reason_of(error), LONGER_S)
    return start(LONGER_S)


@contextmanager
def waiting(services: Any, seconds: float) -> Iterator[None]:
    """Inside, Ray waits so long for what it starts; 0: as long as it does by itself. It has a variable for its control
    store, and none for its node, which it asks for again and again for 30 s. services: its module of that name."""
    if not seconds or not hasattr(services, "get_node"):
        yield
        return
    asks = services.get_node
    end, before = time.monotonic() + seconds, os.environ.get(VARIABLE)

    def get_node(*args: Any, **named: Any) -> Any:
        while True:
            try:
                return asks(*args, **named)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    services.get_node = get_node
    os.environ[VARIABLE] = str(int(seconds))
    try:
        yield
    finally:
        services.get_node = asks
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before

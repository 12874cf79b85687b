"""One more try for what is slow, and none for what is wrong."""

from __future__ import annotations

import pytest

from evoray.backends.patience import LONGER_S, is_slow, twice

SLOW = [
    Exception("The current node timed out during startup. This\ncould happen because some of the raylet failed to"),
    RuntimeError("Timed out waiting for node info for node_id=12."),
    Exception("Head node temp_dir not found in NodeInfo, either GCS or head node's raylet may not have\nstarted"),
    RuntimeError("Timed out while waiting for gcs_server to become available."),
    RuntimeError("Failed to connect to GCS at address 127.0.0.1:1"),
    TimeoutError(),
    ConnectionError("refused"),
]
WRONG = [PermissionError(13, "Permission denied"), OSError(28, "No space left"), ValueError("a"), RuntimeError("no")]


class Fails:
    """A start that fails so often."""

    def __init__(self, times, error):
        self.times, self.error, self.waits, self.cleared = times, error, [], 0

    def start(self, seconds):
        self.waits.append(seconds)
        if len(self.waits) <= self.times:
            raise self.error
        return "started"

    def clear(self):
        self.cleared += 1


@pytest.mark.parametrize("error", SLOW, ids=str)
def test_what_is_slow_is_tried_twice(error):
    assert is_slow(error)
    once, always = Fails(1, error), Fails(9, error)
    assert twice(once.start, once.clear) == "started"
    assert (once.waits, once.cleared) == ([0.0, LONGER_S], 1)
    with pytest.raises(type(error)):
        twice(always.start, always.clear)
    assert always.waits == [0.0, LONGER_S]


@pytest.mark.parametrize("error", WRONG, ids=str)
def test_what_is_wrong_is_tried_once(error):
    fails = Fails(1, error)
    with pytest.raises(type(error)):
        twice(fails.start, fails.clear)
    assert not is_slow(error) and fails.waits == [0.0]


def test_what_starts_is_started_once():
    fine = Fails(0, None)
    assert twice(fine.start, fine.clear) == "started" and (fine.waits, fine.cleared) == ([0.0], 0)

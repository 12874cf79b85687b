"""The process in which a tracker lives, asked in this one: an answer for every request, whatever the tracker does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

from evoray.tracking.process import alone, serve


def asked(*requests):
    answers = []
    serve((json.dumps(request) for request in requests), answers.append)
    return answers


def test_every_request_has_an_answer(begin, told):
    found = asked(
        begin("Keeps"), {"kind": "round", "step": 1, "figures": {"a": 1.5}}, {"kind": "end", "step": 1, "error": "no"}
    )
    assert [one for one in found if "alive" not in one] == [
        {"done": {"id": "id-of-abc", "where": found[1]["done"]["where"], "delivered": 0}},
        {"done": {}},
        {"done": {}},
    ]
    assert told()[1] == {"round": 1, "figures": {"a": 1.5}}
    assert told()[2]["error"] == "no"


def test_what_a_tracker_raises_is_said_and_the_next_is_heard(begin, told):
    found = asked(
        begin("Raises"), {"kind": "round", "step": 1, "figures": {}}, {"kind": "end", "step": 1, "error": "no"}
    )
    assert found[2] == {"failed": "ConnectionError: the server is away"}
    assert found[-1] == {"done": {}}


def test_a_run_that_is_gone_without_a_word_leaves_a_tracker_that_was_told(begin, told):
    asked(begin("Keeps"), {"kind": "round", "step": 1, "figures": {}})
    assert told()[-1]["error"] == "the run was killed"


def test_a_round_before_the_beginning_is_refused():
    assert "beginning first" in asked({"kind": "round", "step": 1, "figures": {}})[0]["failed"]


def test_one_process_at_a_time_tells_of_a_run():
    """The second waits for the first, and for no longer than that one may take."""
    held, got = alone("run"), []
    waiting = threading.Thread(target=lambda: got.append(alone("run", 60)))
    waiting.start()
    alone("another run").close()
    time.sleep(0.2)
    assert got == []
    held.close()
    waiting.join(60)
    alone("run", 0.1).close()
    got[0].close()
    alone("run").close()


def test_it_begins_without_what_takes_long():
    """It is started beside a run, and shares the machine with it."""
    code = "import sys, evoray.tracking.process; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pyarrow", "pydantic", "numpy", "matplotlib"} & {*found}

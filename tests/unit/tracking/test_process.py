"""The process in which a tracker lives, asked in this one: an answer for every request, whatever the tracker does."""

from __future__ import annotations

import json

from evoray.tracking.process import serve


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

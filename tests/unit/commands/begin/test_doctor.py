from __future__ import annotations

import json

import pytest

from evoray.begin import doctor
from evoray.begin.findings import attention, bad, good


@pytest.fixture
def found(monkeypatch):
    """Findings in place of this machine's."""
    given = [good("Python", "3.11"), attention("memory", "1 GiB free", "Close other programs.")]
    monkeypatch.setattr(doctor, "diagnosis", lambda: iter(given))
    return given


def test_each_finding_has_a_line_and_a_remedy(evoray, found):
    lines = evoray("doctor").splitlines()
    assert lines[0].split() == ["good", "Python", "3.11"]
    assert lines[1].endswith("1 GiB free. Close other programs.")
    assert lines[-1] == "0 bad, 1 worth attention, 1 good"


def test_where_something_is_bad_the_exit_code_is_one(evoray, found):
    found.append(bad("torch", "cannot be used", "Install it again."))
    assert evoray("doctor", code=1).splitlines()[-1] == "1 bad, 1 worth attention, 1 good"
    document = json.loads(evoray("doctor", "--json", code=1))
    assert document[2] == {"level": "bad", "what": "torch", "found": "cannot be used", "remedy": "Install it again."}


def test_long_findings_are_broken_between_words(evoray, found, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found.append(good("extra transformers", "a sentence of words that is longer than what is left of a line " * 2))
    lines = evoray("doctor").splitlines()
    assert max(map(len, lines)) <= 80 and "good      extra transformers  a sentence" in lines[2]

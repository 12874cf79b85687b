from __future__ import annotations

from evoray.begin.findings import attention, bad, good, looked


def test_a_finding_has_a_level_and_a_remedy():
    assert good("a", "b").to_dict() == {"level": "good", "what": "a", "found": "b", "remedy": ""}
    assert [bad("a", "b", "c").level, attention("a", "b", "c").remedy] == ["bad", "c"]


def test_a_look_that_raises_is_a_finding_and_hides_no_other():
    def look():
        yield good("one", "there")
        raise OSError("no such device\nat all")

    first, second = looked("disk", look)
    assert first.found == "there"
    assert (second.level, second.what) == ("attention", "disk") and "no such device at all" in second.found

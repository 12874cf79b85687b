from __future__ import annotations

import numpy as np

from evoray.tasks.generation.speech import Speech


class Words:
    def decode(self, tokens, **how):
        return " ".join(map(str, tokens))


def test_a_text_is_what_stands_before_its_end():
    speech = Speech(Words(), (9, 8), 0)
    assert speech.text([1, 2, 9]) == "1 2" and speech.text([-1, -1]) == "" and speech.text([8]) == ""


def test_numbers_belong_to_record_and_seed():
    one, other = Speech(Words(), (), 1), Speech(Words(), (), 2)
    assert np.array_equal(one.draws(5, 8), one.draws(5, 8)) and np.array_equal(one.draws(5, 8)[:3], one.draws(5, 3))
    assert not np.array_equal(one.draws(5, 8), one.draws(6, 8))
    assert not np.array_equal(one.draws(5, 8), other.draws(5, 8))
    assert ((one.draws(5, 1000) >= 0) & (one.draws(5, 1000) < 1)).all()


def test_it_is_told_apart_by_what_decides_answers():
    same = [Speech(Words(), (1,), 0, identity="a"), Speech(Words(), (1,), 0, identity="a")]
    others = [Speech(Words(), (2,), 0, identity="a"), Speech(Words(), (1,), 1, identity="a"), Speech(Words(), (1,), 0)]
    assert repr(same[0]) == repr(same[1]) and len({repr(one) for one in (*same, *others)}) == 4

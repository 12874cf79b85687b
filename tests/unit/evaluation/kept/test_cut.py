from __future__ import annotations

import pytest
import torch
from torch import fx

from evoray.evaluation.kept.cut import Cut
from evoray.evaluation.kept.keeper import follow
from evoray.evaluation.kept.tape import Unrepeatable, record
from tests.unit.evaluation.kept.nets import CUTTABLE, Plain, WritesAtTheCut, WritesAView


def network(kind):
    torch.manual_seed(0)
    return kind().eval().requires_grad_(False)


def images(rows=2, seed=0):
    return torch.randn(rows, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def tape_of(model):
    batch = images()
    with torch.inference_mode():
        return record(lambda: model(batch), [batch], lambda tensor: ())[0]


@pytest.mark.parametrize("kind", CUTTABLE)
def test_at_every_sound_place_both_parts_together_are_the_network(kind):
    model = network(kind)
    tape, batch = tape_of(model), images(seed=1)
    sound = 0
    for at in range(len(tape.operations) + 1):
        cut = Cut(tape, at)
        if not cut.sound:
            continue
        sound += 1
        with torch.inference_mode():
            expected = model(batch)
            alive, rest = follow(lambda: model(batch), [batch], cut), cut.rest()
            for _ in range(2):  # the second time on what the first one left
                (found,) = rest(*alive)
                assert torch.equal(found, expected), at
        assert isinstance(rest, fx.GraphModule)
    assert sound >= 2


def test_what_is_written_behind_the_cut_is_copied():
    model = network(WritesAtTheCut)
    tape = tape_of(model)
    second = next(at for at, one in enumerate(tape.operations) if at and "conv" in str(one.function))
    cut = Cut(tape, second)
    assert cut.written and cut.sound
    assert not Cut(tape_of(network(Plain)), 3).written


def test_memory_that_two_values_share_and_one_writes_cannot_be_cut():
    tape = tape_of(network(WritesAView))
    flat = next(at for at, one in enumerate(tape.operations) if "flatten" in str(one.function))
    assert not Cut(tape, flat + 1).sound and Cut(tape, 0).sound


def test_shares_fall_from_one_to_nothing_and_bytes_are_of_the_values_alive():
    tape = tape_of(network(Plain))
    shares = [Cut(tape, at).share for at in range(len(tape.operations) + 1)]
    assert shares[0] == 1 and shares[-1] == 0 and shares == sorted(shares, reverse=True)
    assert Cut(tape, 0).kept_bytes() == images().numel() * 4
    assert Cut(tape, len(tape.operations)).kept_bytes() == 2 * 5 * 4


def test_a_network_that_does_something_else_is_not_followed():
    model, batch = network(Plain), images()
    cut = Cut(tape_of(model), 4)
    with torch.inference_mode():
        with pytest.raises(Unrepeatable, match="for another"):
            follow(lambda: batch * 2, [batch], cut)
        with pytest.raises(Unrepeatable, match="ends sooner"):
            follow(lambda: model.first(batch), [batch], cut)


def test_the_first_part_alone_is_run():
    model, batch = network(Plain), images()
    tape, seen = tape_of(model), []
    model.head.register_forward_hook(lambda *_: seen.append(1))
    with torch.inference_mode():
        follow(lambda: model(batch), [batch], Cut(tape, 3))
    assert not seen

"""A network that is built is its seed's alone: same numbers as after manual_seed, whatever else draws meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from evoray.models.seeding import DRAWN, seeded


def layers():
    return nn.Sequential(nn.Linear(9, 20), nn.Dropout(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Embedding(7, 3))


def trained():
    network = nn.Sequential(nn.Linear(9, 20), nn.Dropout(0.5), nn.Linear(20, 3))
    steps = torch.optim.SGD(network.parameters(), 0.1)
    for rows in torch.randperm(40).split(20):
        steps.zero_grad()
        nn.functional.cross_entropy(network(torch.randn(len(rows), 9)), torch.randint(3, (len(rows),))).backward()
        steps.step()
    return network


def with_a_seed_of_its_own():
    before = nn.Linear(5, 5)
    torch.manual_seed(5)
    first = nn.Linear(5, 5)
    torch.manual_seed(5)
    return nn.ModuleList([before, first, nn.Linear(5, 5)])


def with_the_runs_own_seed_again():
    before = nn.Linear(5, 5)
    torch.manual_seed(3)
    return nn.ModuleList([before, nn.Linear(5, 5)])


def with_a_fork():
    before = nn.Linear(5, 5)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        inside = nn.Linear(5, 5)
    return nn.ModuleList([before, inside, nn.Linear(5, 5)])


class Everything(nn.Module):
    """A buffer of each way in which PyTorch draws."""

    WAYS = (
        lambda: torch.rand(3),
        lambda: torch.randn(17),
        lambda: torch.randint(9, (4,)),
        lambda: torch.randint(2, 9, (4,)),
        lambda: torch.rand_like(torch.ones(3)),
        lambda: torch.randn_like(torch.ones(3)),
        lambda: torch.randint_like(torch.ones(3), 5),
        lambda: torch.bernoulli(torch.full((5,), 0.5)),
        lambda: torch.multinomial(torch.ones(9), 3),
        lambda: torch.normal(torch.zeros(3), torch.ones(3)),
        lambda: torch.normal(0.0, 1.0, (3,)),
        lambda: torch.poisson(torch.ones(4) * 3),
        lambda: torch.ones(4).exponential_(),
        lambda: torch.ones(4).cauchy_(),
        lambda: torch.ones(4).random_(),
        lambda: torch.randperm(6),
        lambda: nn.functional.dropout(torch.ones(30)),
        lambda: nn.init.trunc_normal_(torch.empty(4, 4)),
        lambda: nn.init.orthogonal_(torch.empty(4, 4)),
        lambda: nn.init.sparse_(torch.empty(4, 4), 0.5),
    )

    def __init__(self):
        super().__init__()
        for number, way in enumerate(self.WAYS):
            self.register_buffer(f"b{number}", way())


def with_states_kept_and_put_back():
    state = torch.get_rng_state()
    first = nn.Linear(5, 5)
    torch.set_rng_state(state)
    return nn.ModuleList([first, nn.Linear(5, 5)])


def with_an_operator_that_takes_no_generator():
    return nn.ParameterList([torch.native_dropout(torch.ones(40), 0.5, True)[0] for _ in range(3)])


BUILDERS = [
    with_states_kept_and_put_back, with_an_operator_that_takes_no_generator,
    layers, trained, with_a_seed_of_its_own, with_the_runs_own_seed_again, with_a_fork, Everything,
]  # fmt: skip


def state(build, seed):
    with seeded(seed):
        return build().state_dict()


def alike(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("build", BUILDERS)
def test_it_is_what_manual_seed_gives(build, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        expected = build().state_dict()
    assert alike(state(build, seed), expected)


@pytest.mark.parametrize(
    "build", [build for build in BUILDERS if build is not with_an_operator_that_takes_no_generator]
)
def test_threads_and_a_user_who_draws_change_nothing(build):
    expected, stop = state(build, 3), threading.Event()

    def noise():
        while not stop.is_set():
            torch.rand(5)

    drawing = threading.Thread(target=noise)
    drawing.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(alike(one, expected) for one in pool.map(lambda _: state(build, 3), range(8)))
    finally:
        stop.set()
        drawing.join()


def test_the_compiler_is_not_imported():
    """It takes seconds."""
    script = (
        "import sys; from torch import nn; from evoray.models.seeding import seeded\n"
        "with seeded(0): nn.Linear(3, 3)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_the_callers_generator_is_as_before():
    before = torch.get_rng_state()
    state(trained, 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_seed_that_the_caller_had_set_before_is_not_taken_up():
    with torch.random.fork_rng():
        torch.manual_seed(42)
        assert alike(state(layers, 3), state(layers, 3)) and not alike(state(layers, 3), state(layers, 42))


@pytest.mark.parametrize("around", ["float64", "bfloat16", "meta", "inference", "autocast"])
def test_what_the_callers_program_has_set_is_not_seen(around):
    expected = state(layers, 3)
    before = torch.get_default_dtype()
    try:
        if around in ("float64", "bfloat16"):
            torch.set_default_dtype(getattr(torch, around))
            found = state(layers, 3)
            assert torch.get_default_dtype() == getattr(torch, around)
        elif around == "meta":
            with torch.device("meta"):
                found = state(layers, 3)
        elif around == "inference":
            with torch.inference_mode():
                found = state(trained, 3)
            expected = state(trained, 3)
        else:
            with torch.autocast("cpu"):
                found = state(trained, 3)
            expected = state(trained, 3)
    finally:
        torch.set_default_dtype(before)
    assert alike(found, expected) and not any(one.is_inference() for one in found.values())


def test_an_error_leaves_everything_as_it_was():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        state(lambda: torch.rand(1) / (1 // 0), 1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(before)


def test_in_haste_large_tensors_repeat_and_small_ones_are_as_ever():
    with seeded(3, quick=True):
        small, large = nn.Linear(5, 5), nn.Linear(300, 301)
        buffer = torch.empty(200_000).normal_(2, 0.5)
    with seeded(3):
        usual = nn.Linear(5, 5)
    assert torch.equal(small.weight, usual.weight)
    weight = large.weight.detach().view(-1)
    assert torch.equal(weight[DRAWN:], weight[: len(weight) - DRAWN])
    assert len(large.weight.detach().unique(dim=0)) == 301, "rows are no copies of each other"
    assert abs(float(buffer.mean()) - 2) < 0.02
    assert abs(float(buffer.std()) - 0.5) < 0.02


def test_filling_a_tensor_without_numbers_draws_none():
    with seeded(3):
        first = torch.randn(4)
    with seeded(3):
        for fill in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, nn.init.trunc_normal_):
            held = torch.empty(40, 30, device="meta")
            assert fill(held) is held
        assert torch.equal(torch.randn(4), first)

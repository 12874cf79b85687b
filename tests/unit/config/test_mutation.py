from __future__ import annotations

import pytest
from pydantic import ValidationError

from evoray.config.mutation import MutationConfig
from evoray.errors import ConfigError


class Halves(MutationConfig):
    """A kind whose density is always a half, and cannot be swept."""

    kind: str = "halves"

    @property
    def disjoint(self):
        return 2


@pytest.mark.parametrize("sigma", ["auto", 0.1, 1])
def test_sigma_is_a_number_or_found(sigma):
    config = Halves(sigma=sigma)
    assert config.sigma == sigma and config.sigma_is_auto == (sigma == "auto")


@pytest.mark.parametrize("sigma", [0, -0.1, True, "0.1", float("inf"), [0.1]])
def test_sigma_is_nothing_else(sigma):
    with pytest.raises(ValidationError, match='a number greater than 0, or "auto"'):
        Halves(sigma=sigma)


def test_a_kind_says_how_many_of_its_mutations_change_every_weight():
    with pytest.raises(TypeError, match="disjoint"):
        MutationConfig()
    assert Halves().disjoint == 2


def test_mutations_add_up_until_a_weight_is_changed_twice():
    assert [Halves().independent([None] * count) for count in (0, 1, 2, 5)] == [0, 1, 2, 2]
    assert Halves(subspace="static").independent([None] * 5) == 1


def test_a_kind_learns_nothing_and_asks_for_nothing_unless_it_says_so():
    config = Halves(sigma=0.3)
    assert (config.credit([(None, 1.0)]), config.asks_for_work, config.groups, config.one_sigma) == (
        None,
        False,
        1,
        0.3,
    )
    assert config.with_work(None, [1.0]) is config and Halves(sigma="auto").one_sigma is None


def test_a_density_that_is_not_one_number_cannot_be_swept():
    with pytest.raises(ConfigError, match=r'mutation\.kind = "halves": its density cannot be swept'):
        Halves().with_disjoint(3)


def test_any_number_of_weights_is_enough_unless_a_kind_says_otherwise():
    Halves().check_weights(0)


def test_every_tensor_may_change_by_itself_in_masks_of_its_own():
    config = Halves()
    assert (config.include, config.exclude) == (("*",), ())
    assert (config.sigma, config.scale, config.subspace, config.antithetic) == (0.1, "rms", "dynamic", False)


@pytest.mark.parametrize("wrong", [{"scale": "std"}, {"subspace": "fixed"}, {"include": "conv*"}, {"parts": 3}])
def test_a_key_or_a_value_that_is_unknown_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Halves(**wrong)

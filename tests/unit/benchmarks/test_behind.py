from __future__ import annotations

import pytest

from evoray.benchmarks.throughput import throughput
from evoray.errors import ConfigError


def run(**how):
    return throughput(
        "resnet18", [0.1], 4, size=32, batch_size=4, repeats=1, threads=1, naive=False, evotorch=False, **how
    )


def test_each_share_has_a_row_that_says_where_it_is_cut():
    quarter, head = run(behind=[0.75, 0])
    assert quarter["cut"] == "layer4.0.conv1" and quarter["behind"] == pytest.approx(0.76194, abs=1e-4)
    assert head["cut"] == "fc" and head["behind"] == pytest.approx(513_000 / 11_689_512)
    assert quarter["kept_kib_per_image"] == 4 * 256 * 2 * 2 / 1024  # layer3's outputs at 32 pixels, float32
    assert head["kept_kib_per_image"] == 4 * 512 / 1024


def test_without_a_share_nothing_is_kept():
    (row,) = run()
    assert (row["behind"], row["cut"], row["kept_kib_per_image"]) == (1.0, None, 0.0)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_is_one(share):
    with pytest.raises(ConfigError, match=f"--behind {share}"):
        run(behind=[share])

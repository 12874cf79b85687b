from __future__ import annotations

import json

import pytest
import torch

from evoray.errors import ConfigError, DataError
from evoray.models import read_state, small
from evoray.study.small_parents import Recipe, checkpoint, train_parents

TINY = Recipe(data="mnist5k-train", epochs=2, early=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("parents")
    train_parents(out, ("resnet",), (0, 1), TINY)
    return out


def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(trained, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train_parents(tmp_path, ("resnet",), (0,), TINY)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    for kind in ("normal", "early"):
        ours, theirs = checkpoint(tmp_path, "resnet", 0, kind), checkpoint(trained, "resnet", 0, kind)
        assert ours.read_bytes() == theirs.read_bytes()
    assert checkpoint(trained, "resnet", 1, "normal").read_bytes() != theirs.read_bytes()


def test_the_early_parent_is_on_the_way_to_the_normal_one(trained):
    record = {
        kind: json.loads(checkpoint(trained, "resnet", 0, kind).with_suffix(".json").read_text())
        for kind in ("early", "normal")
    }
    assert record["early"]["steps"] == 3 < record["normal"]["steps"] == 12
    assert record["normal"]["held_out"]["nll"] < record["early"]["held_out"]["nll"]
    assert record["normal"]["held_out"]["n"] == 67
    early, normal = (read_state(checkpoint(trained, "resnet", 0, kind)) for kind in ("early", "normal"))
    assert not torch.equal(early["output.weight"], normal["output.weight"])


def test_the_early_parent_alone_has_the_same_bytes_and_leaves_the_normal_one_to_be_trained(trained, tmp_path):
    (path,) = train_parents(tmp_path, ("resnet",), (0,), TINY, kinds=("early",))
    whole = checkpoint(trained, "resnet", 0, "early")
    assert path.read_bytes() == whole.read_bytes()
    assert path.with_suffix(".json").read_text() == whole.with_suffix(".json").read_text()
    assert not checkpoint(tmp_path, "resnet", 0, "normal").exists()
    train_parents(tmp_path, ("resnet",), (0,), TINY)
    assert checkpoint(tmp_path, "resnet", 0, "normal").exists()
    with pytest.raises(ConfigError, match="some of normal, early"):
        train_parents(tmp_path, ("resnet",), (0,), TINY, kinds=("late",))


def test_what_is_there_is_kept_and_another_recipe_is_refused(trained):
    path = checkpoint(trained, "resnet", 0, "normal")
    stamp = path.stat().st_mtime_ns
    train_parents(trained, ("resnet",), (0,), TINY)
    assert path.stat().st_mtime_ns == stamp
    with pytest.raises(ConfigError, match="another recipe"):
        train_parents(trained, ("resnet",), (0,), Recipe(data="mnist5k-train", epochs=3, early=3))


@pytest.mark.parametrize(
    ("architectures", "recipe", "error", "words"),
    [
        (("lstm",), TINY, ConfigError, "none of cnn, resnet, vit"),
        (("cnn",), Recipe("mnist5k-train", 1, 100), ConfigError, "training takes 6 steps"),
        (("cnn",), Recipe("mnist5k-train", 0, 1), ConfigError, "at least 1"),
        (("cnn",), Recipe("mock:images=40,size=32", 1, 1), DataError, "1x28x28"),
    ],
)
def test_what_cannot_be_trained_is_named(tmp_path, architectures, recipe, error, words):
    with pytest.raises(error, match=words):
        train_parents(tmp_path, architectures, (0,), recipe)


@pytest.mark.parametrize("name", small.SMALL)
def test_small_parents_answer_for_ten_classes_and_stay_small(name):
    from torch.utils.flop_counter import FlopCounterMode

    parent = getattr(small, name)()
    model = parent.model.eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        logits = model(torch.zeros(3, 1, 28, 28))
    assert logits.shape == (3, 10)
    assert counter.get_total_flops() / 3 < 1.5e6  # 0.75 M multiply-adds: tens of thousands of children on a few cores

from __future__ import annotations

import pytest

from evoray.errors import ConfigError
from evoray.study.config import load_study, overlaid, parent_files, run_config, seeds_override


def test_parents_are_found_by_pattern(study, study_file):
    assert list(parent_files(study, study_file.parent)) == ["cnn", "resnet"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("dense.sigma=[0.1]", "sparse side tries 2 settings and the dense side 1"),
        ("seeds=[0, 0]", "seeds names one value twice"),
        ("parents=['nowhere/*.toml']", "matches no file"),
        ("parents=['parents/cnn.toml', 'study.toml', 'parents/../study.toml']", "one name"),
        ("sparse=[{parts=1, sigma=[0.1, 0.2]}]", "parts"),
        ("long.generations=1", "long.generations"),
        ("colour='red'", "unknown key colour"),
    ],
)
def test_what_is_wrong_is_named(study_file, override, words):
    with pytest.raises(ConfigError, match=words):
        load_study(study_file, [override])


def test_a_run_is_the_parents_file_under_the_study_under_the_setting(study, study_file):
    path = study_file.parent / "parents" / "cnn.toml"
    seeded = study.model_copy(update={"weights": "w/{parent}-{seed}.safetensors"})
    config = run_config(seeded, path, "cnn", 3, {"mutation": {"parts": 7}})
    assert (config.seed, config.parent.weights, config.mutation.parts) == (3, "w/cnn-3.safetensors", 7)
    assert (config.data.path, config.ensemble.size, config.compute.backend) == ("mnist5k", 2, "local")


def test_an_overlay_leaves_what_it_does_not_name():
    assert overlaid({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "e": 5}) == {"a": {"b": 4, "c": 2}, "d": 3, "e": 5}


@pytest.mark.parametrize(("given", "seeds"), [("0,1,2", (0, 1, 2)), ("7", (7,)), (" 3 , 1 ", (3, 1)), ("007", (7,))])
def test_seeds_stand_in_place_of_the_studys(study_file, given, seeds):
    assert load_study(study_file, [seeds_override(given)]).seeds == seeds


@pytest.mark.parametrize("given", ["", "a", "1;2", "-1", "1.5", "1,", "0-2", "²", "9" * 30])
def test_what_is_no_list_of_seeds_is_refused(given):
    with pytest.raises(ConfigError, match=r"--seeds .*give whole numbers from 0, such as --seeds 0,1,2"):
        seeds_override(given)

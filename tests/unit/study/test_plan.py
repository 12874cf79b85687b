from __future__ import annotations

from evoray.study.config import load_study
from evoray.study.plan import cases


def test_every_parent_at_every_seed(study, study_file):
    names = [case.name for case in cases(study, study_file.parent)]
    assert names == ["cnn/seed0", "resnet/seed0", "cnn/seed1", "resnet/seed1"]


def test_both_sides_try_as_many_settings_with_as_many_children(study, study_file):
    grid = next(cases(study, study_file.parent)).grid()
    by_side = {side: [one.config for one in grid if one.side == side] for side in ("sparse", "dense")}
    assert [(one.mutation.parts, one.mutation.sigma) for one in by_side["sparse"]] == [(4, 0.05), (16, 0.1)]
    assert [(one.mutation.parts, one.mutation.sigma) for one in by_side["dense"]] == [(1, 0.02), (1, 0.05)]
    assert {one.search.children for configs in by_side.values() for one in configs} == {4}
    assert len({one.directory for one in grid}) == 4


def test_longer_arms_go_on_from_their_sides_choice(study, study_file):
    case = next(cases(study, study_file.parent))
    grid = case.grid()
    arms = {one.arm: one.config for one in case.long({"sparse": grid[1], "dense": grid[3]})}
    assert {name: (one.mutation.parts, one.mutation.sigma) for name, one in arms.items()} == {
        "dense": (1, 0.05),
        "sparse, dynamic": (16, 0.1),
        "sparse, static": (16, 0.1),
    }
    assert arms["sparse, static"].mutation.subspace == "static"
    assert {one.search.generations for one in arms.values()} == {2}
    assert case.runs() == 4 + 3


def test_a_setting_of_the_grid_is_run_once_for_the_sweep_too(study_file):
    study = load_study(study_file, ["sweep={parts=4, sigma=[0.05, 0.2], auto=false}"])
    case = next(cases(study, study_file.parent))
    assert {one.directory for one in case.sweep()} - {one.directory for one in case.grid()} == {
        "cnn/seed0/one/parts4-sigma0.2"
    }
    assert case.runs() == 4 + 1 + 3


def test_the_reference_is_another_checkpoint_of_the_same_parent_on_the_same_images(study_file):
    study = load_study(study_file, ["weights='{parent}-early.pth'", "reference='{parent}-{seed}.pth'"])
    case = next(cases(study, study_file.parent))
    (reference,) = case.reference()
    first = case.grid()[0].config
    assert (first.parent.weights, reference.config.parent.weights) == ("cnn-early.pth", "cnn-0.pth")
    assert (reference.config.data, reference.config.seed) == (first.data, first.seed)
    assert case.runs() == 1 + 4 + 3

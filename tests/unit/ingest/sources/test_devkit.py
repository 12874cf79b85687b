from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.io
from forms import DEVKIT_IDS, FILES, TRUTH, make_devkit, make_tar, unpack_devkit

from evoray.errors import DataError
from evoray.ingest.sources.devkit import GROUND_TRUTH, find_devkit, read_devkit

SYNSETS = {number: synset for synset, number in DEVKIT_IDS.items()}
VALIDATION = tuple(DEVKIT_IDS[TRUTH[name]] for name in sorted(FILES))


def the_tar(tmp_path):
    return make_devkit(tmp_path / "kit.tar.gz")


def its_folder(tmp_path):
    unpack_devkit(tmp_path)
    return tmp_path / "ILSVRC2012_devkit_t12"


def the_folder_of_its_data(tmp_path):
    return its_folder(tmp_path) / "data"


@pytest.mark.parametrize("form", [the_tar, its_folder, the_folder_of_its_data])
def test_every_form_has_the_leaves_and_the_truth(form, tmp_path):
    found = read_devkit(form(tmp_path))
    assert found.synsets == SYNSETS, "the inner synset is no class"
    assert found.validation == VALIDATION


def test_without_the_truth_there_are_still_synsets(tmp_path):
    (its_folder(tmp_path) / "data" / GROUND_TRUTH).unlink()
    found = read_devkit(tmp_path / "ILSVRC2012_devkit_t12")
    assert (found.synsets, found.validation) == (SYNSETS, ())


@pytest.mark.parametrize("name", ["ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12", "meta.mat", "data/meta.mat"])
@pytest.mark.parametrize("below", ["", "val", "a/b/c"])
def test_it_is_found_in_beside_and_above(name, below, tmp_path):
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert find_devkit(tmp_path / below) == (tmp_path if "meta.mat" in name else tmp_path / name)


def test_a_given_place_comes_first(tmp_path):
    for folder in ("near", "given"):
        (tmp_path / folder).mkdir()
        make_devkit(tmp_path / folder / "ILSVRC2012_devkit_t12.tar.gz")
    given = tmp_path / "given" / "ILSVRC2012_devkit_t12.tar.gz"
    assert find_devkit(tmp_path / "near", given) == given
    assert find_devkit(tmp_path / "near", tmp_path / "given") == given


def test_nowhere_is_said_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"val: its labels are devkit ids.*neither beside it nor above it.*--labels"):
        find_devkit(tmp_path / "val")


def saved(tmp_path, **variables):
    file = io.BytesIO()
    scipy.io.savemat(file, variables)
    return make_tar(tmp_path / "kit.tar.gz", {"kit/data/meta.mat": file.getvalue()}, "w:gz")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda at: make_tar(at / "kit.tar.gz", {"a.txt": b"x"}, "w:gz"), r"no meta\.mat in it\. Take the whole"),
        (
            lambda at: make_tar(at / "kit.tar.gz", {"meta.mat": b"no matlab"}, "w:gz"),
            "not ILSVRC2012's devkit, or damaged",
        ),
        (lambda at: at / "absent.tar.gz", "not ILSVRC2012's devkit, or damaged"),
        (lambda at: saved(at, other=1), "not ILSVRC2012's devkit, or damaged"),
        (lambda at: saved(at, synsets=np.arange(3)), r"no synsets of ILSVRC2012 in it"),
    ],
)
def test_what_is_no_devkit_is_named(make, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_devkit(make(tmp_path))


def test_a_devkit_that_was_cut_is_named(tmp_path):
    path = the_tar(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"kit\.tar\.gz: not ILSVRC2012's devkit, or damaged"):
        read_devkit(path)


def test_a_single_leaf_is_a_table_too(tmp_path):
    """MATLAB's reader gives one row as a scalar."""
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
    table = np.array([(1, "n01440764", 0)], dtype=kinds)
    assert read_devkit(saved(tmp_path, synsets=table.reshape(-1, 1))).synsets == {1: "n01440764"}

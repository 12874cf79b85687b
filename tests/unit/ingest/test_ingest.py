"""An interrupted ingest goes on: the same bytes, finished shards checked and not made again, never two at once."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pictures import AS_THEY_ARE, BAD, ODD, PHOTOGRAPHS, SMALL, make_tree, save
from PIL import Image
from torchvision.transforms import functional

from evoray.data import ArrowDataset, ImageTransform, Manifest, open_dataset
from evoray.errors import ConfigError, DataError, RunError
from evoray.ingest.ingest import ingest_folder, ingest_source
from evoray.ingest.sources import FolderSource


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


@pytest.fixture(scope="module")
def large_tree(tmp_path_factory):
    """Of 1,200 images, which is only read."""
    return make_tree(tmp_path_factory.mktemp("large") / "tree", per_class=400)


def files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def interrupted(tree, dest, after, **options):
    done = 0

    def pull_the_plug(count, total):
        nonlocal done
        done += count
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_folder(tree, dest, SMALL, shard_size=5, workers=1, on_progress=pull_the_plug, **options)
    assert not dest.exists()
    return dest.with_name(f".{dest.name}.part")


def test_finished_shards_are_kept_and_the_bytes_are_the_same(tree, tmp_path):
    whole = ingest_folder(tree, tmp_path / "whole", SMALL, shard_size=5, workers=1)
    part = interrupted(tree, tmp_path / "shards", after=13)
    kept = {path.name: path.stat().st_mtime_ns for path in (part / "shards").glob("*.arrow")}
    assert sorted(kept) == ["shard-00000.arrow", "shard-00001.arrow"]
    again = ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=5, workers=2)
    assert files(tmp_path / "shards") == files(tmp_path / "whole")
    assert again.digest == whole.digest
    assert all((tmp_path / "shards" / name).stat().st_mtime_ns == made for name, made in kept.items())
    assert not part.exists()


def test_a_finished_shard_that_was_damaged_is_made_again(tree, tmp_path):
    ingest_folder(tree, tmp_path / "whole", SMALL, shard_size=5, workers=1)
    part = interrupted(tree, tmp_path / "shards", after=13)
    shard = part / "shards" / "shard-00001.arrow"
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    (part / "done" / "shard-00000.json").write_text("{")
    ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=5, workers=1)
    assert files(tmp_path / "shards") == files(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "named"),
    [({"seed": 1}, "records"), ({"per_class": 2}, "records"), ({"shard_size": 4}, "shard_size"), ({}, "transform")],
)
def test_another_ingest_is_not_mixed_in(options, named, tree, tmp_path):
    part = interrupted(tree, tmp_path / "shards", after=13)
    transform = ImageTransform(resize=18, crop=16) if named == "transform" else SMALL
    wanted = {"shard_size": 5, "workers": 1, **options}
    with pytest.raises(DataError, match=rf"another {named} .*--restart"):
        ingest_folder(tree, tmp_path / "shards", transform, **wanted)
    assert (part / "shards" / "shard-00000.arrow").exists(), "what was finished is not thrown away unasked"
    ingest_folder(tree, tmp_path / "shards", transform, restart=True, **wanted)
    ingest_folder(tree, tmp_path / "fresh", transform, **wanted)
    assert files(tmp_path / "shards") == files(tmp_path / "fresh")


def written_again(tree, how):
    """A picture of the tree, the last by name, with another content, size or time."""
    path = sorted(tree.rglob("*.*"))[-1]
    content, found = path.read_bytes(), path.stat()
    path.unlink()
    if how != "gone":
        path.write_bytes(content + b" " * (how == "size"))
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1000 * (how == "time")))


@pytest.mark.parametrize("how", ["size", "time", "gone"])
def test_pictures_that_were_written_since_are_not_mixed_in(how, tree, tmp_path):
    source = FolderSource.scan(tree)
    part = interrupted(tree, tmp_path / "shards", after=13)
    written_again(tree, how)
    again = {"shard_size": 5, "workers": 1}
    with pytest.raises(DataError, match=r"interrupted there, and files that it reads were written since.*--restart"):
        ingest_source(source, tmp_path / "shards", SMALL, **again)
    assert (part / "shards" / "shard-00000.arrow").exists()
    source = FolderSource.scan(tree)
    ingest_source(source, tmp_path / "shards", SMALL, restart=True, **again)
    ingest_source(source, tmp_path / "fresh", SMALL, **again)
    assert files(tmp_path / "shards") == files(tmp_path / "fresh")


def test_files_that_are_the_same_again_are_no_other_ones(tree, tmp_path):
    interrupted(tree, tmp_path / "shards", after=13)
    written_again(tree, "as it was")
    (tree / "labels.csv").write_text("x")
    (tree / "class0").touch()
    assert ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=5, workers=1).rows


def test_what_an_older_version_began_is_finished(tree, tmp_path):
    part = interrupted(tree, tmp_path / "shards", after=13)
    plan = json.loads((part / "plan.json").read_text())
    assert len(plan.pop("files")) == 64
    (part / "plan.json").write_text(json.dumps(plan))
    made = (part / "shards" / "shard-00000.arrow").stat().st_mtime_ns
    ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=5, workers=1)
    assert (tmp_path / "shards" / "shard-00000.arrow").stat().st_mtime_ns == made


def test_only_the_records_that_count_are_looked_at(tree):
    source = FolderSource.scan(tree)
    first = source.state([0])
    written_again(tree, "time")
    assert source.state([0]) == first != source.state([0, len(source.names) - 1])


@pytest.mark.parametrize("dest", ["shards", "class0/shards", "a/b/shards", "../tree/shards"])
def test_shards_inside_the_tree_are_refused(dest, tree, tmp_path):
    with pytest.raises(DataError, match=r"inside the tree that is read, .*take it for a class\. Name a directory out"):
        ingest_folder(tree, tree / dest, SMALL, workers=1)
    assert not list(tree.rglob("*shards*"))
    assert ingest_folder(tree, tmp_path / "tree2", SMALL, workers=1).rows


def test_what_a_second_run_of_a_task_has_begun_does_not_stay(tree, tmp_path):
    def straggler(count, total):
        (tmp_path / ".dest.part" / "shards" / "shard-00000.arrow.0123.part").write_bytes(b"half")

    ingest_folder(tree, tmp_path / "dest", SMALL, shard_size=5, workers=1, on_progress=straggler)
    assert files(tmp_path / "dest").keys() == {
        "manifest.json",
        *(f"shard-{n:05d}.arrow" for n in range(len(files(tmp_path / "dest")) - 1)),
    }


def test_two_at_once_is_refused(tree, tmp_path):
    def again(*_):
        ingest_folder(tree, tmp_path / "shards", SMALL, workers=1)

    with pytest.raises(DataError, match="another ingest is at work"):
        ingest_folder(tree, tmp_path / "shards", SMALL, workers=1, on_progress=again)


KILLED = """
import sys
from pathlib import Path
from evoray.data import ImageTransform
from evoray.ingest.ingest import ingest_folder
if __name__ == "__main__":
    tree, dest = map(Path, sys.argv[1:])
    ingest_folder(tree, dest, ImageTransform(resize=20, crop=16), shard_size=20, workers=2)
"""


def alive(session):
    """Processes of a session."""
    return subprocess.run(["pgrep", "-s", str(session)], capture_output=True, text=True).stdout.split()


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path):
    """SIGKILL to the parent alone; its workers end by themselves. Among the files are all odd and bad kinds."""
    tree = make_tree(tmp_path / "tree", per_class=200)
    for number, (kind, make) in enumerate({**ODD, **BAD}.items()):
        (tree / f"class{number % 3}" / f"{kind}.JPEG").write_bytes(make())
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    whole = ingest_folder(tree, tmp_path / "whole", SMALL, shard_size=20, workers=1)
    assert len(whole.unreadable) == len(BAD)
    moments = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, script, tree, tmp_path / "shards"], start_new_session=True)
        first = tmp_path / ".shards.part" / "done" / "shard-00000.json"
        while not first.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until = time.monotonic() + 20
        while alive(process.pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert not alive(process.pid), "workers outlive their parent"
        if (tmp_path / "shards").exists():
            break
    if not (tmp_path / "shards").exists():
        ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=20, workers=2)
    assert files(tmp_path / "shards") == files(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_is_named(tree, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # bytes; the one shard takes 20 kB
    try:
        with pytest.raises(RunError, match=r"shard-00000\.arrow.*File too large.*goes on"):
            ingest_folder(tree, tmp_path / "shards", SMALL, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / ".shards.part" / "shards").iterdir())
    assert ingest_folder(tree, tmp_path / "shards", SMALL, workers=1) == Manifest.read(tmp_path / "shards")


@pytest.mark.parametrize("after", [0.25, 0.75, 1.5])
def test_ctrl_c_at_any_moment_says_how_to_go_on(after, large_tree, tmp_path):
    command = [Path(sys.executable).with_name("evoray"), "data", "ingest"]
    command += [large_tree, tmp_path / "shards", "--resize", "900"]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, "--workers", "2"], stdout=pipe, stderr=pipe, start_new_session=True)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if process.returncode == 0 and b"Exception ignored in" in said:
        # lost in a callback before EvoRay's first line, from which on it is sent again: then the work is whole
        assert (tmp_path / "shards" / "manifest.json").exists()
        return
    assert process.returncode in (1, 130), said
    assert process.returncode == 130 or b"the same command goes on" in said


def test_ctrl_c_while_workers_decode_gives_no_stack_trace(large_tree, tmp_path):
    command = [Path(sys.executable).with_name("evoray"), "data", "ingest"]
    command += [large_tree, tmp_path / "shards", "--resize", "900"]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, "--workers", "2"], stdout=pipe, stderr=pipe, start_new_session=True)
    begun, until = tmp_path / ".shards.part" / "shards", time.monotonic() + 60
    while len(list(begun.glob("*.part"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and b"the same command goes on" in said and b"Traceback" not in said, said


def test_a_temporary_folder_too_long_for_a_socket_is_no_reason_to_fail(tree, tmp_path):
    long = tmp_path / ("x" * 110)
    long.mkdir()
    program = Path(sys.executable).with_name("evoray")
    command = [program, "data", "ingest", tree, tmp_path / "shards", "--workers", "2", "--shard-size", "9"]
    ended = subprocess.run(command, env={**os.environ, "TMPDIR": str(long)}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert Manifest.read(tmp_path / "shards").rows == 27


def test_every_image_is_there_once_with_its_label(tree, tmp_path):
    ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=10, workers=1)
    dataset = open_dataset(str(tmp_path / "shards"))
    assert (dataset.shard_rows, dataset.image_shape) == ((10, 10, 7), (3, 16, 16))
    seen = {}
    for index in range(3):
        shard = dataset.load(index)
        for image, label, source in zip(shard.images, shard.labels, shard.sources, strict=True):
            assert source.startswith(f"class{label}/")
            assert np.array_equal(image, SMALL(Image.open(tree / source)))
            seen[source] = label
        assert len(set(shard.labels.tolist())) > 1, "shards are class mixed"
    assert len(seen) == 27


def test_the_bytes_do_not_depend_on_the_workers(tree, tmp_path):
    for workers in (1, 2):
        ingest_folder(tree, tmp_path / f"by{workers}", SMALL, shard_size=5, workers=workers)
    files = sorted(path.name for path in (tmp_path / "by1").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "by2").iterdir())
    for name in files:
        assert (tmp_path / "by1" / name).read_bytes() == (tmp_path / "by2" / name).read_bytes()


def test_a_subset_per_class_is_the_seeds(tree, tmp_path):
    chosen = []
    for number, seed in enumerate((1, 1, 2)):
        ingest_folder(tree, tmp_path / str(number), SMALL, per_class=4, seed=seed, workers=1)
        shard = ArrowDataset(tmp_path / str(number)).load(0)
        assert np.bincount(shard.labels).tolist() == [4, 4, 4]
        chosen.append(shard.sources)
    assert chosen[0] == chosen[1]
    assert set(chosen[0]) != set(chosen[2])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cmyk.jpg", lambda picture: picture.convert("CMYK")),
        ("grey.jpg", lambda picture: picture.convert("L")),
        ("png.JPEG", lambda picture: picture),
        ("palette.png", lambda picture: picture.convert("P")),
        ("alpha.png", lambda picture: picture.convert("RGBA")),
    ],
)
def test_odd_files_are_read_as_the_reference_reads_them(name, make, tmp_path):
    picture = Image.open(PHOTOGRAPHS[0]).convert("RGB").resize((64, 48))
    (tmp_path / "tree" / "a").mkdir(parents=True)
    path = tmp_path / "tree" / "a" / name
    content = io.BytesIO()
    make(picture).save(content, "PNG" if "png" in name else path.suffix[1:].upper().replace("JPG", "JPEG"))
    path.write_bytes(content.getvalue())
    ingest_folder(tmp_path / "tree", tmp_path / "shards", SMALL, workers=1)
    found = ArrowDataset(tmp_path / "shards").load(0).images[0]
    expected = functional.center_crop(
        functional.resize(Image.open(path).convert("RGB"), [20], antialias=True), [16, 16]
    )
    assert np.array_equal(found, functional.pil_to_tensor(expected).numpy())


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "text.jpg").write_text("text")
    with pytest.raises(DataError, match="none of 1 files"):
        ingest_folder(tmp_path / "tree", tmp_path / "shards", SMALL, workers=1)


@pytest.fixture
def plain(tmp_path):
    """Four pictures of one size."""
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        save(tmp_path / "plain" / name)
    return tmp_path / "plain"


def test_unreadable_files_are_listed_and_the_digest_knows_no_folder(plain, tmp_path):
    (plain / "a" / "text.JPEG").write_text("text")
    whole = save(plain / "b" / "cut.jpg", size=(200, 200), kind="JPEG")
    whole.write_bytes(whole.read_bytes()[:2000])
    here = ingest_folder(plain, tmp_path / "here", ImageTransform(resize=8, crop=8), workers=1)
    assert [one.source for one in here.unreadable] == ["a/text.JPEG", "b/cut.jpg"]
    assert here.rows == 4 and str(tmp_path) not in here.model_dump_json()
    plain.rename(tmp_path / "b")  # a root whose name is part of other names
    there = ingest_folder(tmp_path / "b", tmp_path / "there", ImageTransform(resize=8, crop=8), workers=1)
    assert there.digest == here.digest


@pytest.mark.parametrize("shard_size", [1, 1024])
def test_images_stored_as_they_are_must_be_of_one_size(shard_size, plain, tmp_path):
    save(plain / "b" / "odd.png", size=(9, 7))
    with pytest.raises(DataError, match=r"(odd\.png: \(3, 9, 7\)|odd\.png is \(3, 9, 7\))"):
        ingest_folder(plain, tmp_path / "shards", AS_THEY_ARE, workers=1, shard_size=shard_size)
    assert not (tmp_path / "shards").exists()


def test_a_file_that_cannot_be_read_is_no_bad_image(plain, tmp_path):
    source = FolderSource.scan(plain)
    (plain / "b" / "1.png").unlink()
    with pytest.raises(RunError, match=r"b/1\.png: cannot be read .*the same command goes on"):
        ingest_source(source, tmp_path / "shards", AS_THEY_ARE, workers=1)


@pytest.mark.parametrize("option", [{"per_class": 0}, {"shard_size": 0}, {"workers": -1}, {"seed": -1}])
def test_options_below_their_least_value_are_refused(option, plain, tmp_path):
    with pytest.raises(ConfigError, match=f"{next(iter(option))} = "):
        ingest_folder(plain, tmp_path / "shards", AS_THEY_ARE, **option)


def test_a_link_that_leads_nowhere_is_not_overwritten(plain, tmp_path):
    (tmp_path / "shards").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="exists already"):
        ingest_folder(plain, tmp_path / "shards", AS_THEY_ARE, workers=1)


def test_ingest_records_the_task_and_its_columns(tree, tmp_path):
    manifest = ingest_folder(tree, tmp_path / "shards", SMALL, shard_size=10, workers=1)
    assert manifest.records.task == "image-classification"
    assert manifest.records.columns == {"image": "fixed_size_binary", "label": "int64", "source": "string"}
    assert open_dataset(str(tmp_path / "shards")).records == manifest.records


def test_a_task_whose_records_are_no_images_is_not_ingested(tree, tmp_path):
    (tmp_path / "texts.py").write_text(
        "from evoray.data.schema import Schema\n"
        "from evoray.tasks.image_classification import ImageClassification\n"
        "class Texts(ImageClassification):\n"
        "    schema = Schema(task='texts', columns={'text': 'string'}, target='text')\n"
    )
    with pytest.raises(ConfigError, match=r"text \(string\), which ingest does not write"):
        ingest_folder(tree, tmp_path / "shards", SMALL, workers=1, task="texts:Texts", config_dir=tmp_path)
    assert not (tmp_path / "shards").exists()

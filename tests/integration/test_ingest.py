"""The command line makes the same shards on any number of processes and on Ray, and finds a byte that is flipped."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def tree(tmp_path):
    random = np.random.default_rng(0)
    for label in range(2):
        (tmp_path / "tree" / f"class{label}").mkdir(parents=True)
        for number in range(30):
            size = (int(random.integers(20, 40)), int(random.integers(20, 40)), 3)
            picture = Image.fromarray(random.integers(256, size=size, dtype=np.uint8))
            picture.save(tmp_path / "tree" / f"class{label}" / f"{number}.jpg")
    (tmp_path / "tree" / "class0" / "bad.jpg").write_text("text")
    odd_files(tmp_path / "tree" / "class1", random)
    return tmp_path / "tree"


def odd_files(folder, random):
    """What ImageNet has among its JPEGs; the last one is cut short."""
    picture = Image.fromarray(random.integers(256, size=(40, 30, 3), dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(folder / "png.JPEG", "PNG")
    picture.convert("CMYK").save(folder / "cmyk.JPEG")
    picture.convert("L").save(folder / "grey.JPEG")
    picture.save(folder / "turned.JPEG", exif=turned)
    picture.save(folder / "cut.JPEG")
    whole = (folder / "cut.JPEG").read_bytes()
    (folder / "cut.JPEG").write_bytes(whole[: len(whole) // 2])


OPTIONS = ("--resize", 20, "--crop", 16, "--shard-size", 10, "--json")


def test_any_number_of_workers_and_ray_make_the_same_bytes(on_ray, tree, tmp_path, cli):
    ways = {
        "one": ("--workers", 1),
        "two": ("--workers", 2),
        "four": ("--workers", 4),
        "ray": ("--workers", 2, "--backend", "ray"),
    }
    digests = set()
    for way, options in ways.items():
        code, out, errors = cli("data", "ingest", tree, tmp_path / way, *OPTIONS, *options)
        assert code == 0, errors
        found = json.loads(out)
        assert [one["source"] for one in found["unreadable"]] == ["class0/bad.jpg", "class1/cut.JPEG"]
        digests.add(found["digest"])
    assert len(digests) == 1
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    for way in ways:
        assert files == {path.name: path.read_bytes() for path in (tmp_path / way).iterdir()}
    assert len(files) == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--decoder", "opencv"), "--decoder opencv: give pil or torchvision"),
        (("--backend", "spark"), "--backend spark: give local or ray"),
        (("--format", "zip"), "--format zip: give one of"),
        (("--labels", "absent.txt"), "absent.txt: no such file"),
    ],
)
def test_a_wrong_option_is_named(options, words, tree, tmp_path, cli):
    code, _, errors = cli("data", "ingest", tree, tmp_path / "shards", *OPTIONS, *options)
    assert code == 2
    assert words in errors


def test_verify_finds_a_flipped_byte_in_any_file(tree, tmp_path, cli):
    shards = tmp_path / "shards"
    assert cli("data", "ingest", tree, shards, *OPTIONS, "--workers", 1)[0] == 0
    assert cli("data", "verify", shards)[0] == 0
    random = np.random.default_rng(0)
    for path in sorted(shards.iterdir()):
        whole = path.read_bytes()
        for position in (0, len(whole) - 1, *random.integers(len(whole), size=20)):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << int(random.integers(8))
            path.write_bytes(flipped)
            code, out, errors = cli("data", "verify", shards)
            assert code == 2 and path.name in out + errors, f"byte {position} of {path.name}"
        path.write_bytes(whole)
    assert cli("data", "verify", shards)[0] == 0


def test_verify_and_show_take_a_uri(tree, tmp_path, cli):
    shards = tmp_path / "shards"
    assert cli("data", "ingest", tree, shards, *OPTIONS, "--workers", 1)[0] == 0
    for command in ("verify", "show"):
        here, there = (cli("data", command, where, "--json") for where in (shards, f"file://{shards}"))
        assert here[:2] == there[:2] and here[0] == 0
    code, out, _ = cli("data", "verify", f"file://{shards}")
    assert code == 0 and f"all whole: file://{shards}" in out
    assert cli("data", "show", f"file://{tmp_path}/nothing")[0] == 2

"""What the fuzz campaign feeds: good files of every kind that EvoRay reads, and who reads each."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutations
import numpy as np
import pyarrow as pa
import pyarrow.parquet
from conftest import CONFIG, Records
from conftest import USERS as TINY
from mutations import Mutation
from program import Outcome, call, ran
from test_records import CONFIG as REGRESSION
from test_records import USERS as LINEAR

sys.path[:0] = [str(Path(__file__).parents[1] / "unit" / "models")]

STUDY = """
title = "small"
parents = ["run.toml"]
seeds = [0, 1]
children = 4
[[sparse]]
parts = 10
sigma = [0.1, 0.2]
[dense]
sigma = [0.02, 0.04]
[long]
generations = 2
[long.arms."dense"]
side = "dense"
[run.data]
select = 0.5
"""
EXPORT = ("export", "run", "soup", "-o", "out.safetensors", "--overwrite")
REBUILD = ("rebuild", "run/lineage/best.json", "run/parent.safetensors", "-o", "out.safetensors", "--overwrite")


@dataclass(frozen=True)
class Target:
    """Files of one kind, and how they are read.

    kind: the row of the report. files: patterns below the place, one of which is damaged. ways: how. read: who reads
    it. sign: makes digests vouch for the damaged file, so that what they protect is met too. weight: how often.
    """

    kind: str
    files: tuple[str, ...]
    ways: tuple[Mutation, ...]
    read: Callable[[], Outcome]
    sign: Callable[[Path], None] | None = None
    weight: float = 1.0


def command(*words: str) -> Callable[[], Outcome]:
    return lambda: call(*words)


def function(read: Callable[[], Any]) -> Callable[[], Outcome]:
    return lambda: ran(read)


def make_material(root: Path) -> None:
    """Good files of every kind, in ``root``, which is the working directory."""
    _run_and_shards(root)
    _pictures(root)
    _records(root)
    _networks(root)


def _run_and_shards(root: Path) -> None:
    from PIL import Image

    from evoray.data import ImageTransform
    from evoray.evolution import evolve
    from evoray.ingest.ingest import ingest_dataset

    (root / "fuzzed_users.py").write_text(TINY)
    (root / "run.toml").write_text(CONFIG)
    (root / "study.toml").write_text(STUDY)
    (root / "costs.csv").write_text("0,1,2\n5,0,1\n1,1,0\n")
    np.save(root / "costs.npy", np.ones((3, 3)) - np.eye(3))
    random = np.random.default_rng(0)
    drawn = [(Image.fromarray(random.integers(256, size=(4, 4), dtype=np.uint8)), n % 3) for n in range(24)]
    ingest_dataset(Records(drawn), root / "shards", ImageTransform(resize=None, crop=None, channels=1), shard_size=12)
    evolve("run.toml", "run")
    shutil.copytree(root / "run", root / "twin")
    shutil.copytree(root / "run", root / "stopped")
    for name in ("summary.json", "population.parquet", "predictions.parquet", "ensemble.json"):
        (root / "stopped" / name).unlink()
    (root / "stopped" / "state.json").write_text(json.dumps(LIVE))
    (root / "run" / "tracking.json").write_text('{"trackers": {"wandb": {"id": "a", "where": "b", "delivered": 3}}}')


LIVE = {
    "format": 1,
    "stage": {"name": "child", "part": "g0000", "total": 4, "done": 1, "seconds": 3.5, "left": 2.0, "rate": 1.5},
    "top": [{"id": "g0000/c0001", "value": 0.5}],
    "blocks": [{"block": 0, "children": 3, "best": 0.25}],
    "workers": {"working": 2},
    "notes": ["said"],
}


def _pictures(root: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(1)
    picture = Image.fromarray(random.integers(256, size=(24, 20, 3), dtype=np.uint8))
    folder = root / "pictures"
    folder.mkdir()
    for suffix, options in (("jpg", {}), ("png", {}), ("gif", {}), ("bmp", {}), ("ppm", {}), ("webp", {}), ("tif", {})):
        picture.save(folder / f"plain.{suffix}", **options)
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.convert("P").save(folder / "palette.png", transparency=3)
    Image.fromarray(random.integers(2**16, size=(9, 9), dtype=np.uint16)).save(folder / "deep.png")
    picture.save(folder / "packed.tif", compression="tiff_lzw")
    picture.convert("CMYK").save(folder / "four.jpg")
    flat = root / "flat"
    flat.mkdir()
    for number in range(6):
        (flat / f"{number}.jpg").write_bytes((folder / "plain.jpg").read_bytes())
    rows = [f"{number}.jpg,{'ab'[number % 2]},{number / 2}" for number in range(6)]
    (root / "labels.csv").write_text("\n".join(["file,label,weight", *rows, ""]))
    (root / "labels.jsonl").write_text("".join(f'{{"file": "{n}.jpg", "label": {n % 2}}}\n' for n in range(6)))
    (root / "val.txt").write_text("".join(f"{n}.jpg {n % 2}\n" for n in range(6)))
    _archives(root, (folder / "plain.png").read_bytes())


def _archives(root: Path, picture: bytes) -> None:
    import tarfile

    (root / "tars").mkdir()
    with tarfile.open(root / "tars" / "a.tar", "w") as tar:
        for number in range(4):
            label = ("json", b'{"label": 1}') if number == 3 else ("cls", b"%d" % (number % 2))
            for suffix, content in (("png", picture), label):
                one = tarfile.TarInfo(f"{number:04}.{suffix}")
                one.size = len(content)
                tar.addfile(one, io.BytesIO(content))
    images = pa.array([{"bytes": picture, "path": f"{n}.png"} for n in range(4)])
    pa.parquet.write_table(pa.table({"image": images, "label": [0, 1, 0, 1]}), root / "images.parquet")


def _records(root: Path) -> None:
    (root / "fuzzed_regression.py").write_text(LINEAR)
    (root / "regression.toml").write_text(REGRESSION)
    rows = np.random.default_rng(2).normal(size=(24, 4)).round(3).tolist()
    (root / "t.csv").write_text("\n".join(["a,b,c,y", *(",".join(map(str, row)) for row in rows), ""]))
    named = [dict(zip("abcy", row, strict=True)) for row in rows]
    (root / "t.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in named))
    pa.parquet.write_table(pa.Table.from_pylist(named), root / "t.parquet")
    assert call("data", "ingest", "t.csv", "records", "--for", "regression.toml", "--target", "y").code == 0


def _networks(root: Path) -> None:
    import tiny_language
    import tiny_onnx
    import torch
    from checkpoints import state
    from safetensors.torch import save_file

    folder = root / "networks"
    folder.mkdir()
    torch.save({"epoch": 3, "state_dict": state(), "args": {"lr": 0.1}}, folder / "new.pth")
    torch.save(state(), folder / "old.pth", _use_new_zipfile_serialization=False)
    save_file({name: one.contiguous() for name, one in state().items()}, folder / "net.safetensors")

    tiny_onnx.saved(folder / "float.onnx", tiny_onnx.images())
    tiny_onnx.saved(folder / "int8.onnx", tiny_onnx.quantized())
    for kind in ("bert", "llama"):
        tiny_language.saved(root / kind, kind)
    tiny_language.table(root / "texts.jsonl", 12)
    tiny_language.run_file(root / "texts.toml", "bert", "text-classification")
    (folder / "model.gguf").write_bytes(b"GGUF\x03\0\0\0" + bytes(range(256)))


def renamed(path: Path) -> None:
    """A segment of a journal is called by its digest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    path.rename(path.with_name(f"{path.name[:8]}-{digest}.arrow"))


def unsigned(path: Path) -> None:
    """A lineage without its own digest is looked into as far as it goes."""
    try:
        document = json.loads(path.read_bytes())
        del document["sha256"]
        path.write_text(json.dumps(document))
    except (ValueError, KeyError, TypeError, RecursionError):
        pass


def signed(path: Path) -> None:
    """A manifest whose digest is right."""
    try:
        values = json.loads(path.read_bytes())
        values.pop("sha256", None)
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        values["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(values, indent=1) + "\n")
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass


def vouched(path: Path) -> None:
    """A shard whose manifest gives the digest and size that it has now."""
    manifest = path.with_name("manifest.json")
    values = json.loads(manifest.read_bytes())
    content = path.read_bytes()
    for one in values["shards"]:
        if path.name in one.values():
            one["sha256"] = hashlib.sha256(content).hexdigest()
            one["bytes"] = len(content)
    manifest.write_text(json.dumps(values))
    signed(manifest)


def _study() -> None:
    from evoray.study.config import load_study

    load_study("study.toml")


def _journal() -> None:
    from evoray.storage.directory import RunDirectory
    from evoray.storage.journal import Journal

    records = Journal(RunDirectory("stopped")).read()
    for _ in records.take("child"):
        pass


def _shards(name: str) -> Callable[[], None]:
    def read() -> None:
        from evoray.data.reader import open_shards, place_of

        found = open_shards(place_of(name))
        for index in range(len(found.manifest.shards)):
            found.load(index)

    return read


def _looked_back() -> None:
    import evoray

    run = evoray.load_run("run")
    _ = run.rounds, run.predictions, run.lineage("soup"), run.summary, run.config


def _costs(name: str) -> Callable[[], None]:
    def read() -> None:
        from evoray.config.fitness import FitnessConfig
        from evoray.fitness.registry import fitness_spec

        fitness_spec(FitnessConfig(name="cost", costs=name), ("a", "b", "c"), Path())

    return read


def _pictures_in(folder: str, decoder: str) -> Callable[[], None]:
    """The one that was damaged is the newest."""

    def read() -> None:
        from evoray.data import ImageTransform

        newest = max(Path(folder).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        ImageTransform(resize=8, crop=8, decoder=decoder)(newest.read_bytes())

    return read


def _source(name: str, **options: Any) -> Callable[[], None]:
    def read() -> None:
        from evoray.ingest.sources.registry import open_source

        found = open_source(name, **options)
        Path("prepared").mkdir()
        found.prepare(Path("prepared"))
        for number in range(min(3, len(found.names))):
            found.open(number)

    return read


def _checkpoint(name: str) -> Callable[[], None]:
    def read() -> None:
        from checkpoints import Net

        from evoray.config.schema import ParentConfig
        from evoray.models.checkpoints.loading import with_weights

        config = ParentConfig(source="module", name="x:y", weights=name)
        with_weights(lambda classes: Net(classes or 4), Path(name), config)

    return read


def _parent(source: str, name: str) -> Callable[[], None]:
    def read() -> None:
        from evoray.config.schema import ParentConfig
        from evoray.models.parent import load_parent

        load_parent(ParentConfig(source=source, name=name), Path())

    return read


def _records_of(name: str) -> Callable[[], Outcome]:
    return command("data", "ingest", name, "new", "--task", "regression", "--target", "y")


def targets() -> Iterable[Target]:
    """All of them. Weights: what takes long comes seldom."""
    yield Target("configuration", ("run.toml", "texts.toml"), mutations.TEXT, function(_configs), weight=10)
    yield Target("configuration, checked", ("run.toml",), mutations.TEXT, command("check", "run.toml"), weight=0.15)
    yield Target("study", ("study.toml",), mutations.TEXT, function(_study), weight=3)
    yield Target("costs", ("costs.csv",), mutations.TEXT, function(_costs("costs.csv")), weight=4)
    yield Target("costs", ("costs.npy",), mutations.BYTES, function(_costs("costs.npy")), weight=4)
    shown = command("show", "run")
    yield Target("run: summary", ("run/summary.json",), mutations.JSON, shown, weight=3)
    yield Target("run: population", ("run/population.parquet",), mutations.BYTES, shown, weight=2)
    yield Target(
        "run: configuration", ("run/config.json",), mutations.JSON, command("compare", "run", "twin"), weight=0.6
    )
    others = ("run/metrics.jsonl", "run/ensemble.json", "run/space.json", "run/predictions.parquet")
    yield Target("run: other files", others, mutations.JSON, function(_looked_back), weight=3)
    yield Target(
        "run: page", ("run/summary.json", "run/metrics.jsonl"), mutations.JSON, command("report", "run"), weight=0.03
    )
    yield Target(
        "run: state",
        ("stopped/state.json", "stopped/metrics.jsonl"),
        mutations.JSON,
        command("watch", "stopped", "--once"),
        weight=3,
    )
    yield Target(
        "run: lineage", ("run/lineage/soup.json", "run/space.json"), mutations.JSON, command(*EXPORT), weight=3
    )
    yield Target("lineage, unsigned", ("run/lineage/best.json",), mutations.JSON, command(*REBUILD), unsigned, weight=5)
    yield Target("journal", ("stopped/journal/*.arrow",), mutations.BYTES, function(_journal), weight=6)
    yield Target(
        "journal, vouched for", ("stopped/journal/*.arrow",), mutations.BYTES, function(_journal), renamed, weight=8
    )
    resumed = command("run", "run.toml", "--out", "stopped", "--resume")
    yield Target(
        "journal, resumed",
        ("stopped/journal/*.arrow", "stopped/config.json"),
        mutations.JSON,
        resumed,
        renamed_if_arrow,
        weight=0.1,
    )
    verify = command("data", "verify", "shards")
    yield Target(
        "manifest",
        ("shards/manifest.json", "records/manifest.json"),
        mutations.JSON,
        command("data", "show", "shards"),
        weight=5,
    )
    yield Target("manifest, signed", ("shards/manifest.json",), mutations.JSON, verify, signed, weight=8)
    yield Target(
        "manifest of records, signed",
        ("records/manifest.json",),
        mutations.JSON,
        command("data", "verify", "records"),
        signed,
        weight=6,
    )
    yield Target("shard", ("shards/shard-*.arrow",), mutations.BYTES, verify, weight=4)
    yield Target(
        "shard, vouched for", ("shards/shard-*.arrow",), mutations.BYTES, function(_shards("shards")), vouched, weight=8
    )
    yield Target(
        "shard of records, vouched for",
        ("records/shard-*.arrow",),
        mutations.BYTES,
        function(_shards("records")),
        vouched,
        weight=6,
    )
    for name, ways in (("t.csv", mutations.TEXT), ("t.jsonl", mutations.JSON), ("t.parquet", mutations.BYTES)):
        yield Target("table of records", (name,), ways, _records_of(name), weight=2)
    texts = command(
        "data", "ingest", "texts.jsonl", "new", "--for", "texts.toml", "--input", "text", "--target", "label"
    )
    yield Target(
        "texts and tokenizer",
        ("texts.jsonl", "bert/tokenizer*.json", "bert/config.json"),
        mutations.JSON,
        texts,
        weight=1,
    )
    yield Target(
        "list of labels", ("labels.csv", "labels.jsonl", "val.txt"), mutations.TEXT, function(_lists), weight=10
    )
    yield Target("tar", ("tars/a.tar",), mutations.TAR, function(_source("tars")), weight=8)
    yield Target(
        "Parquet of images", ("images.parquet",), mutations.BYTES, function(_source("images.parquet")), weight=6
    )
    for decoder, weight in (("pil", 16), ("torchvision", 5)):
        yield Target(
            f"picture, {decoder}",
            ("pictures/*",),
            mutations.BYTES,
            function(_pictures_in("pictures", decoder)),
            weight=weight,
        )
    yield Target(
        "checkpoint, zip", ("networks/new.pth",), mutations.ZIP, function(_checkpoint("networks/new.pth")), weight=8
    )
    yield Target(
        "checkpoint, older", ("networks/old.pth",), mutations.BYTES, function(_checkpoint("networks/old.pth")), weight=6
    )
    yield Target(
        "checkpoint, safetensors",
        ("networks/net.safetensors",),
        mutations.SAFETENSORS,
        function(_checkpoint("networks/net.safetensors")),
        weight=6,
    )
    yield Target(
        "checkpoint, GGUF",
        ("networks/model.gguf",),
        mutations.BYTES,
        function(_checkpoint("networks/model.gguf")),
        weight=1,
    )
    for name in ("float", "int8"):
        yield Target(
            "ONNX",
            (f"networks/{name}.onnx",),
            mutations.BYTES,
            function(_parent("onnx", f"networks/{name}.onnx")),
            weight=2,
        )
    files = ("config.json", "tokenizer*.json", "model.safetensors", "generation_config.json")
    for kind in ("bert", "llama"):
        paths = tuple(f"{kind}/{name}" for name in files if kind == "llama" or "generation" not in name)
        yield Target(
            "transformers folder",
            paths,
            (*mutations.JSON, mutations.header),
            function(_parent("transformers", kind)),
            weight=0.5,
        )


def _configs() -> None:
    from evoray.config import load_config

    load_config("run.toml")
    load_config("texts.toml")


def _lists() -> None:
    newest = max(
        (Path(name) for name in ("labels.csv", "labels.jsonl", "val.txt")), key=lambda one: one.stat().st_mtime_ns
    )
    _source("flat", kind="flat", labels=newest)()


def renamed_if_arrow(path: Path) -> None:
    if path.suffix == ".arrow":
        renamed(path)

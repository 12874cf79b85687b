"""Data and run directory in an object store: a real S3 server on the loopback, the same bytes as on the local disk."""

from __future__ import annotations

import logging

import pyarrow.fs
import pytest
from outputs import FILES, PulledPlug, StopsAfter

from evoray.config import parse_config
from evoray.data import ImageTransform, open_dataset, place_of, verify
from evoray.evolution import evolve
from evoray.ingest.ingest import ingest_dataset


@pytest.fixture(scope="module")
def bucket():
    """A function from a name to the URI of that name in an empty bucket."""
    from moto.server import ThreadedMotoServer  # a second to import, and both processes collect this file

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = f"endpoint_override={host}:{port}&scheme=http&region=us-east-1&allow_bucket_creation=true"
    store, _ = pyarrow.fs.FileSystem.from_uri(f"s3://key:secret@bucket?{options}")
    store.create_dir("bucket")
    yield lambda name: f"s3://key:secret@bucket/{name}?{options}"
    server.stop()


def test_a_run_from_s3_to_s3_stopped_and_resumed(bucket, parent_file, tmp_path):
    mnist = open_dataset("mnist5k").load(0)
    records = list(zip(mnist.images[:300, 0], mnist.labels[:300].tolist(), strict=True))
    transform = ImageTransform(resize=None, crop=None, channels=1)
    ingest_dataset(Digits(records), tmp_path / "shards", transform, shard_size=64)
    pyarrow.fs.copy_files(str(tmp_path / "shards"), bucket("shards"))
    assert verify(place_of(bucket("shards"))) == verify(tmp_path / "shards")

    def config(path):
        return parse_config(
            {
                "parent": {"source": "module", "name": "evoray.demo:small_cnn", "weights": str(parent_file)},
                "data": {"path": path, "cache_dir": str(tmp_path / "cache"), "cache_gb": 0.1},
                "search": {"children": 4},
                "ensemble": {"size": 2},
                "compute": {"backend": "local", "workers": 2},
            }
        )

    local = evolve(config(str(tmp_path / "shards")), tmp_path / "run", page=False).directory
    with pytest.raises(PulledPlug):
        evolve(config(bucket("shards")), bucket("runs/first"), progress=StopsAfter(12))
    stored = evolve(config(bucket("shards")), bucket("runs/first"), resume=True, progress=StopsAfter(10**6)).directory
    assert {name: stored.read(name) for name in FILES} == {name: local.read(name) for name in FILES}
    assert len([path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")]) == 5


class Digits:
    classes = tuple("0123456789")

    def __init__(self, records):
        self._records = records

    def __len__(self):
        return len(self._records)

    def __getitem__(self, index):
        return self._records[index]

"""TensorBoard's own reader reads back what was written: also of a run that was killed and went on."""

from __future__ import annotations

import os

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from evoray.tracking.base import Beginning, Known, Picture, Results
from evoray.tracking.tensorboard import TensorBoard

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
CONFIG = {"mutation.sigma": 0.1, "search.children": 6, "mutation.antithetic": False, "parent.name": "cnn"}


@pytest.fixture
def begun(tmp_path):
    """A tracker that was told of a beginning; the rounds that it has."""

    def make(delivered=0, **settings):
        settings = {"directory": str(tmp_path), "name": "first", "artifacts": "lineage"} | settings
        tracker = TensorBoard()
        return tracker, tracker.begin(Beginning("abc", "runs/first", CONFIG, settings, Known("abc", delivered)))

    return make


def read(folder):
    found = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0, "scalars": 0})
    found.Reload()
    return found


def steps(found, tag):
    return [(one.step, one.value) for one in found.Scalars(tag)]


def test_rounds_results_pictures_and_texts_are_read_back(begun, tmp_path):
    tracker, begin = begun()
    assert begin.delivered == 0
    for step in (1, 2):
        tracker.round(step, {"children/best/nll": 0.5 / step, "workers": 2})
    file = tmp_path / "soup.json"
    file.write_text('{"entries": []}')
    results = Results(
        "better",
        None,
        2,
        {"test/soup/nll": 0.25},
        (Picture("how-far", "How far?", PNG),),
        {"lineage/soup.json": str(file)},
    )
    tracker.end(results)
    found = read(begin.where)
    assert steps(found, "children/best/nll") == [(1, 0.5), (2, 0.25)]
    assert steps(found, "test/soup/nll") == [(2, 0.25)]
    assert found.Images("report/how-far")[0].encoded_image_string == PNG
    texts = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in ("verdict", "lineage/soup.json")}
    assert texts["verdict"] == "better" and '{"entries": []}' in texts["lineage/soup.json"]


def test_the_configuration_is_its_hyper_parameters(begun):
    tracker, begin = begun()
    tracker.end(Results(None, "stopped"))
    tracker, begin = begun()
    tracker.end(Results("better"))
    found = read(begin.where)
    start, end = (
        plugin_data_pb2.HParamsPluginData.FromString(found.SummaryMetadata(tag).plugin_data.content)
        for tag in ("_hparams_/session_start_info", "_hparams_/session_end_info")
    )
    hyper = start.session_start_info.hparams
    assert hyper["mutation.sigma"].number_value == 0.1
    assert hyper["mutation.antithetic"].WhichOneof("kind") == "bool_value"
    assert hyper["parent.name"].string_value == "cnn"
    assert end.session_end_info.status == api_pb2.STATUS_SUCCESS, "also of a run that was stopped before"


@pytest.mark.parametrize("said", [3, 2], ids=["said", "not said"])
def test_a_killed_run_goes_on_in_one_series(begun, said):
    """The first process wrote three rounds; what it could not say any more is not there twice."""
    killed, _ = begun()
    for step in (1, 2, 3):
        killed.round(step, {"children/best/nll": float(step)})
    tracker, begin = begun(delivered=said)
    assert begin.delivered == said
    for step in range(said + 1, 6):
        tracker.round(step, {"children/best/nll": float(step)})
    tracker.end(Results("better", None, 5))
    assert steps(read(begin.where), "children/best/nll") == [(step, float(step)) for step in range(1, 6)]
    killed.end(Results(None, "closes its file"))


def test_what_lies_elsewhere_now_is_written_anew(begun, tmp_path):
    tracker, begin = begun(delivered=3, directory=str(tmp_path / "elsewhere"))
    assert begin.delivered == 0
    tracker.end(Results("better"))


def test_runs_that_share_a_folder_have_each_their_own(begun, tmp_path):
    tracker, begin = begun(shared=True)
    tracker.end(Results("better"))
    assert begin.where == os.path.join(tmp_path, "tensorboard", "first")

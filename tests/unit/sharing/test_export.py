"""A member in every format, loaded as its user loads it, on the run's own test images."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pyarrow.fs
import pytest
import torch
from safetensors.torch import load_file

from evoray.data import open_dataset
from evoray.errors import EvorayError, ModelError, UsageError
from evoray.models import small
from evoray.results.export import rebuild_file
from evoray.sharing import export as module
from evoray.sharing.export import Wanted, share
from evoray.storage import anywhere
from evoray.tasks.inputs import normalise


@pytest.fixture(scope="session")
def predicted(made):
    """(the only member of the ensemble, uint8 images of ``test``, each one's probabilities by class)."""
    directory, summary = made
    table = directory.read_table("predictions.parquet")
    images = np.concatenate([open_dataset("mnist5k").load(at).images for at in range(5)])[table["index"].to_numpy()]
    classes, values = (np.array(table[name].to_pylist()) for name in ("classes", "probabilities"))
    probabilities = np.zeros_like(values)
    np.put_along_axis(probabilities, classes, values, axis=1)
    return summary["ensemble"]["members"][0]["id"], torch.from_numpy(images), torch.from_numpy(probabilities)


def network(state):
    made = small.cnn().model.eval()
    made.load_state_dict(state)
    return made


def answers(run, images):
    return torch.cat([run(some) for some in images.split(7)])


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt", "folder", "m.pt2"])
def test_a_member_answers_as_it_was_scored(made, predicted, tmp_path, name):
    """Bit for bit as the network with the same weights; and as ``predictions.parquet`` says, to its last digits."""
    member, pixels, probabilities = predicted
    shared = share(made[0], member, tmp_path / name, Wanted())
    images = normalise(pixels, (0.2860,), (0.3530,), torch.float32)
    if name == "m.pt2":
        assert shared.difference == 0
        run = torch.export.load(tmp_path / name).module()
    elif name == "m.pt":
        run = network(torch.load(tmp_path / name, weights_only=True))
    else:
        run = network(load_file(tmp_path / name / "model.safetensors" if name == "folder" else tmp_path / name))
    share(made[0], member, tmp_path / "plain.safetensors", Wanted())
    with torch.inference_mode():
        found = answers(run, images)
        assert torch.equal(found, answers(network(load_file(tmp_path / "plain.safetensors")), images))
    assert torch.allclose(found.double().softmax(1), probabilities, atol=1e-6)
    assert (found.argmax(1) == probabilities.argmax(1)).all()
    assert shared.recipe_bytes == made[0].size(f"lineage/{member}.json") < 25_000


@pytest.mark.slow
@pytest.mark.parametrize("pixels", [False, True])
def test_onnxruntime_answers_to_a_rounding(made, predicted, tmp_path, pixels):
    import onnx
    import onnxruntime

    member, images, probabilities = predicted
    shared = share(made[0], member, tmp_path / "m.onnx", Wanted(pixels=pixels))
    assert 0 <= shared.difference < 1e-6
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    given = images if pixels else normalise(images, (0.2860,), (0.3530,), torch.float32)
    found = answers(lambda some: torch.from_numpy(session.run(None, {"input": some.numpy()})[0]), given)
    assert torch.allclose(found.double().softmax(1), probabilities, atol=1e-6)
    assert (found.argmax(1) == probabilities.argmax(1)).all()
    said = {one.key: one.value for one in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert said["evoray.weights_sha256"] == shared.sha256 and json.loads(said["evoray.std"]) == [0.353]
    assert said["evoray.normalisation"] == ("inside" if pixels else "outside")


def test_a_graph_of_pixels_normalises_them_itself(made, predicted, tmp_path):
    member, images, _ = predicted
    share(made[0], member, tmp_path / "m.pt2", Wanted(pixels=True))
    extra = {"evoray.json": ""}
    run = torch.export.load(tmp_path / "m.pt2", extra_files=extra).module()
    share(made[0], member, tmp_path / "m.pt", Wanted())
    plain = network(torch.load(tmp_path / "m.pt", weights_only=True))
    with torch.inference_mode():
        expected = plain(normalise(images, (0.2860,), (0.3530,), torch.float32))
        assert torch.equal(run(images), expected)
    assert json.loads(extra["evoray.json"])["evoray.normalisation"] == "inside"


def test_a_card_beside_a_file_and_in_a_folder(made, tmp_path):
    beside = share(made[0], "best", tmp_path / "m.safetensors", Wanted(card=True)).card
    inside = share(made[0], "best", tmp_path / "folder", Wanted()).card
    assert (beside, inside) == (tmp_path / "m.safetensors.md", tmp_path / "folder/README.md")
    for card in (beside.read_text(), inside.read_text()):
        assert str(tmp_path) not in card and made[1]["run_id"] in card
    other = share(made[0], "best", tmp_path / "m.pt", Wanted(card=True)).card
    assert other == tmp_path / "m.pt.md" and "m.safetensors" in beside.read_text() and "m.pt" in other.read_text()
    lineage = json.loads((tmp_path / "folder/lineage.json").read_text())
    assert lineage == json.loads(made[0].read("lineage/best.json"))


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("m.pt", Wanted(push="me/net"), r"--push: a folder is sent.*--format hub-folder"),
        ("m.pt", Wanted(pixels=True), "--pixels: of --format onnx and pt2"),
        ("folder", Wanted(public=True), "--public: nothing is sent without --push"),
        ("folder", Wanted(push="a/b/c"), "no name of a repository"),
        ("m.xyz", Wanted(), r"m\.xyz: name a \.safetensors file"),
        ("there.pt", Wanted(), "exists already"),
        ("m.safetensors", Wanted(card=True), r"m\.safetensors\.md: exists already"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_built(made, tmp_path, monkeypatch, name, wanted, message):
    monkeypatch.setattr(module, "read_member", None)
    for there in ("there.pt", "m.safetensors.md"):
        (tmp_path / there).write_text("kept")
    with pytest.raises(UsageError, match=message):
        share(made[0], "best", tmp_path / name, wanted)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.safetensors.md", "there.pt"]


def test_a_graph_that_cannot_be_made_leaves_nothing(made, tmp_path, monkeypatch):
    def fails(*given):
        given[2].write_bytes(b"half")
        raise ModelError("no")

    monkeypatch.setitem(module.GRAPHS, "pt2", fails)
    with pytest.raises(ModelError):
        share(made[0], "best", tmp_path / "m.pt2", Wanted())
    assert not list(tmp_path.iterdir())


def test_nothing_is_sent_unasked_and_what_is_sent_is_the_folder(made, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(module.pushing, "hub", lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(
        module.pushing, "push", lambda api, folder, name, public: sent.append((folder, public)) or "url"
    )
    assert share(made[0], "best", tmp_path / "one", Wanted()).url is None and sent == []
    assert share(made[0], "best", tmp_path / "two", Wanted(push="me/net")).url == "url"
    assert sent == [(tmp_path / "two", False)] and re.search("Licence", (tmp_path / "two/README.md").read_text())


def test_a_lineage_and_a_parent_elsewhere_are_enough(made, tmp_path, monkeypatch):
    """Both in a store that is no path; its space two folders above the lineage is compared."""
    fs = pyarrow.fs._MockFileSystem()
    for name in ("lineage/soup.json", "parent.safetensors", "space.json"):
        fs.create_dir(f"run/{name}".rpartition("/")[0])
        with fs.open_output_stream(f"run/{name}") as stream:
            stream.write(made[0].read(name))
    monkeypatch.setattr(anywhere, "_opened", lambda place: (fs, str(place).removeprefix("s3://")))
    places = ("s3://run/lineage/soup.json", "s3://run/parent.safetensors")
    found = rebuild_file(*places, tmp_path / "m.safetensors")
    monkeypatch.undo()
    assert share(made[0], "soup", tmp_path / "e.safetensors", Wanted()).sha256 == found.sha256
    assert (tmp_path / "m.safetensors").read_bytes() == (tmp_path / "e.safetensors").read_bytes()
    monkeypatch.setattr(anywhere, "_opened", lambda place: (fs, str(place).removeprefix("s3://")))
    for name, content, message in (
        ("run/space.json", b"{}", r"^s3://run/space\.json: "),
        ("run/parent.safetensors", b"nothing", r"^s3://run/parent\.safetensors: not a "),
    ):
        with fs.open_output_stream(name) as stream:
            stream.write(content)
        with pytest.raises(EvorayError, match=message):
            rebuild_file(*places, tmp_path / "no.safetensors")
    assert not (tmp_path / "no.safetensors").exists()

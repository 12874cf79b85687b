"""A member as a folder that transformers loads: its logits are those of the run's network."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny_language
import torch
from typer.testing import CliRunner

from evoray.cli import app
from evoray.config import load_config
from evoray.errors import UsageError
from evoray.evolution import evolve
from evoray.ingest.options import Options
from evoray.ingest.records.ingest import ingest_records, wanted_of
from evoray.models import read_state
from evoray.results.export import export_member
from evoray.results.folder import export_folder
from evoray.runtime.progress import Progress
from evoray.storage.directory import RunDirectory

TEXTS = ["the day was great", "sad day it was"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    tiny_language.saved(folder / "net")
    config = tiny_language.run_file(folder / "run.toml", "net", "text-classification")
    wanted = wanted_of(Options(config=config), None, (), ())
    ingest_records(str(tiny_language.table(folder / "t.jsonl", 24)), folder / "shards", wanted, Progress())
    (folder / "net" / "README.md").write_text("whose it is")
    evolve(load_config(config), folder / "run", config_dir=folder, page=False)
    return folder


def logits(folder):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model, tokenizer = (kind.from_pretrained(folder) for kind in (AutoModelForSequenceClassification, AutoTokenizer))
    with torch.inference_mode():
        return model.eval()(**tokenizer(TEXTS, return_tensors="pt")).logits


@pytest.mark.parametrize("member", ["parent", "best", "soup", "g0000/c0001"])
def test_a_folder_for_from_pretrained(finished, tmp_path, member, capfd):
    directory = RunDirectory(str(finished / "run"))
    digest = export_folder(directory, member, tmp_path / "out", finished / "net")
    assert capfd.readouterr() == ("", "")  # no bars of the library's
    plain = tmp_path / "plain.safetensors"
    assert export_member(directory, member, plain, None) == digest
    network = tiny_language.network()
    network.load_state_dict(read_state(plain))
    with torch.inference_mode():
        expected = network(input_ids=torch.tensor([[2, 8, 10, 11, 4, 3], [2, 7, 10, 13, 11, 3]])).logits
    found = logits(tmp_path / "out")
    assert torch.equal(found, expected)
    assert torch.equal(found, logits(finished / "net")) == (member == "parent")
    files = {path.name for path in (finished / "net").iterdir()}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    for name in files - {"model.safetensors"}:
        assert (tmp_path / "out" / name).read_bytes() == (finished / "net" / name).read_bytes()
    own = read_state(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(tensor, own[name]) for name, tensor in read_state(plain).items())


def test_the_command_takes_a_folder_or_a_file(finished, tmp_path):
    given = ["export", str(finished / "run"), "best", "--parent", str(finished / "net"), "--json", "-o"]
    digests = [
        json.loads(CliRunner().invoke(app, [*given, str(tmp_path / name)]).output)["weights_sha256"]
        for name in ("best", "best.safetensors")
    ]
    assert digests[0] == digests[1] and (tmp_path / "best" / "tokenizer.json").is_file()


def test_what_is_there_is_replaced_only_where_that_is_asked_for(finished, tmp_path):
    directory, out = RunDirectory(str(finished / "run")), tmp_path / "out"
    export_folder(directory, "best", out, finished / "net")
    with pytest.raises(UsageError, match="exists already"):
        export_folder(directory, "parent", out, finished / "net")
    export_folder(directory, "parent", out, finished / "net", overwrite=True)
    assert torch.equal(logits(out), logits(finished / "net"))
    (out / "config.json").unlink()
    with pytest.raises(UsageError, match="no folder of a network"):
        export_folder(directory, "parent", out, finished / "net", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_parent_that_is_elsewhere_is_asked_for(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directory = RunDirectory(str(finished / "run"))
    with pytest.raises(UsageError, match="--parent"):
        export_folder(directory, "best", tmp_path / "out", None)
    shutil.copytree(finished / "net", tmp_path / "net")
    export_folder(directory, "best", tmp_path / "out", None)
    for name in ("out.bin", "none/out"):
        with pytest.raises(UsageError, match=r"name a folder|no such directory"):
            export_folder(directory, "best", tmp_path / name, None)


def test_a_folder_for_the_hub_has_a_card_and_keeps_the_parents(finished, tmp_path):
    given = ["export", str(finished / "run"), "best", "--parent", str(finished / "net"), "--format", "hub-folder", "-o"]
    result = CliRunner().invoke(app, [*given, str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    export_folder(RunDirectory(str(finished / "run")), "best", tmp_path / "plain", finished / "net")
    assert torch.equal(logits(tmp_path / "out"), logits(tmp_path / "plain"))
    assert (tmp_path / "out/PARENT_README.md").read_text() == "whose it is"
    card = (tmp_path / "out/README.md").read_text()
    assert "library_name: transformers" in card and "pipeline_tag: text-classification" in card
    assert "AutoModel" not in card and "ForSequenceClassification.from_pretrained" in card
    assert str(finished) not in card


def test_a_folder_names_no_place_on_this_machine(finished, tmp_path):
    """As older versions of transformers wrote where a network was loaded from."""
    net = tmp_path / "secret" / "net"
    shutil.copytree(finished / "net", net)
    for name, key in (("config.json", "_name_or_path"), ("tokenizer_config.json", "name_or_path")):
        (net / name).write_text(json.dumps(json.loads((net / name).read_text()) | {key: str(net)}))
    (net / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": str(net / "checkpoint-9")}))
    for form in ([], ["--format", "hub-folder"]):
        out = tmp_path / f"out{len(form)}"
        given = ["export", str(finished / "run"), "best", "--parent", str(net), *form, "-o", str(out)]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == 0, result.output
        for path in out.iterdir():
            assert str(tmp_path).encode() not in path.read_bytes(), path.name
        assert json.loads((out / "trainer_state.json").read_text()) == {"best_model_checkpoint": "checkpoint-9"}
        assert torch.isfinite(logits(out)).all()


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_no_graph_is_made_of_several_tensors(finished, tmp_path, form, monkeypatch):
    monkeypatch.chdir(finished)
    given = ["export", str(finished / "run"), "best", "--parent", str(finished / "net"), "-o"]
    result = CliRunner().invoke(app, [*given, str(tmp_path / f"m.{form}")])
    assert isinstance(result.exception, UsageError) and "takes several tensors" in str(result.exception)
    assert not list(tmp_path.iterdir())

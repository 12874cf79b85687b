from __future__ import annotations

import json

import pytest

from evoray.models.transformers.places import named, without_places


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("/home/me/nets/bert", "bert"),
        ("/home/me/nets/bert/", "bert"),
        ("../nets/bert", "bert"),
        ("./bert", "bert"),
        ("~/bert", "bert"),
        ("~me", "me"),
        ("a/b/c", "c"),
        (r"C:\nets\bert", "bert"),
        ("C:/nets/bert", "bert"),
        ("s3://bucket/nets/bert", "bert"),
        ("local-dir:/home/me/net", "net"),
        ("google/bert", "google/bert"),
        ("hf-hub:timm/resnet18.a1_in1k", "hf-hub:timm/resnet18.a1_in1k"),
        ("package.module:function", "package.module:function"),
        ("resnet50", "resnet50"),
        ("", ""),
    ],
)
def test_a_name_keeps_what_is_no_place(name, left):
    assert named(name) == left


def test_settings_lose_places_and_nothing_else(tmp_path):
    (tmp_path / "here").mkdir()
    kept = {
        "id2label": {"0": "/m/09x0r", "1": "/etc"},
        "pad_token": "/",
        "chat_template": "{% if a %}/home/me{% endif %}",
        "model_type": "bert",
        "name_or_path": "google/bert",
        "nested": [{"file": "vocab.txt"}],
    }
    lost = {"_name_or_path": "/home/me/bert", "data": str(tmp_path / "here"), "run": [{"output_dir": "../runs/x"}]}
    (tmp_path / "config.json").write_text(json.dumps(kept | lost))
    (tmp_path / "plain.json").write_text(json.dumps(kept))
    (tmp_path / "broken.json").write_text('{"a_path": "/home/me')
    (tmp_path / "tokenizer.json").write_text(json.dumps({"file": "/home/me"}))
    before = {one.name: one.read_bytes() for one in tmp_path.glob("*.json")}
    without_places(tmp_path)
    found = json.loads((tmp_path / "config.json").read_text())
    assert found == kept | {"_name_or_path": "bert", "data": "here", "run": [{"output_dir": "x"}]}
    for name in before.keys() - {"config.json"}:
        assert (tmp_path / name).read_bytes() == before[name]

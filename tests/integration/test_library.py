"""As a library: a run from a file, from dictionaries, or from a checked configuration, with or without a directory."""

from __future__ import annotations

import evoray

TOML = """
[parent]
source = "module"
name = "evoray.demo:small_cnn"
weights = "parent.safetensors"
[data]
path = "mnist5k"
select = 0.05
test = 0.05
[search]
children = 3
[ensemble]
size = 2
[compute]
backend = "local"
"""


def test_three_forms_of_a_configuration_give_one_answer(parent_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "parent.safetensors").write_bytes(parent_file.read_bytes())
    path = tmp_path / "elsewhere" / "run.toml"
    path.write_text(TOML)
    checked = evoray.load_config(path)
    results = [
        evoray.evolve(path),
        evoray.evolve(checked, config_dir=path.parent, page=False),
        evoray.evolve(checked.model_dump(), "named", config_dir=path.parent, page=False),
    ]
    assert [result.directory.location for result in results] == ["runs/run", "runs/run-2", "named"]
    assert len({result.population.to_pylist()[0]["select_nll"] for result in results}) == 1

from __future__ import annotations

import subprocess
import sys

import pytest

from evoray.config import load_config, parse_config
from evoray.errors import ConfigError

MINIMAL = {"parent": {"name": "resnet18", "weights": "random"}, "data": {"path": "mnist5k"}}


def changed(path, value):
    values = {section: dict(keys) for section, keys in MINIMAL.items()}
    section, _, key = path.partition(".")
    if key:
        values.setdefault(section, {})[key] = value
    else:
        values[section] = value
    return values


def test_defaults_are_those_of_the_design():
    config = parse_config(MINIMAL)
    assert (config.mutation.sigma, config.mutation.parts, config.mutation.scale) == (0.1, 10, "rms")
    assert (config.search.children, config.ensemble.size, config.compute.backend) == (40, 8, "ray")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("mutation.sigm", 0.1, "unknown key mutation.sigm"),
        ("wrong", 1, "unknown key wrong"),
        ("compute.backend", "slurm", "none of ray, local, package.module:make"),
        ("compute.backend", ":make", "none of ray, local, package.module:make"),
        ("mutation.sigma", 0, "mutation.sigma"),
        ("mutation.sigma", float("nan"), "mutation.sigma"),
        ("mutation.sigma", -1.0, "greater than 0"),
        ("mutation.parts", 0, "mutation.parts"),
        ("data.select", 0, "data.select"),
        ("data.select", 0.8, "overlap"),
        ("compute.dtype", "int8", "float32"),
        ("compute.device", "tpu", "cuda"),
        ("parent.mean", [0.5], "mean and std"),
        ("parent.source", "hub", "torchvision"),
        ("search.children", 0, "search.children"),
    ],
)
def test_a_wrong_key_is_named(path, value, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse_config(changed(path, value))
    assert "\n" not in str(caught.value)


def test_a_test_set_of_its_own_is_used_whole():
    config = parse_config({**MINIMAL, "data": {"path": "a", "test_path": "b"}})
    assert (config.data.select, config.data.test) == (1.0, 1.0)


def test_overrides_are_toml_values_or_words(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[parent]\nname = "resnet18"\nweights = "random"\n[data]\npath = "mnist5k"\n')
    config = load_config(path, ["mutation.sigma=0.5", "compute.backend=local", "mutation.include=['a*']"])
    assert (config.mutation.sigma, config.compute.backend, config.mutation.include) == (0.5, "local", ("a*",))


@pytest.mark.parametrize("override", ["sigma", "=3", "data.path.x=1"])
def test_a_malformed_override_is_refused(tmp_path, override):
    path = tmp_path / "run.toml"
    path.write_text('[parent]\nname = "resnet18"\nweights = "random"\n[data]\npath = "mnist5k"\n')
    with pytest.raises(ConfigError, match="--set"):
        load_config(path, [override])


@pytest.mark.parametrize("content", ["a = [", None])
def test_an_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"run\.toml"):
        load_config(path)


def test_configuration_needs_neither_torch_nor_ray():
    code = "import sys, evoray.config; assert not {'torch', 'ray'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


TEXT = '[parent]\nname = "resnet18"\nweights = "random"\n[data]\npath = "mnist5k"\n# größe\n'


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-8-sig"),
        b"\n\n" + TEXT.encode(),
    ],
)
@pytest.mark.parametrize("name", ["run.toml", "RUN.TOML", "run", "run.toml.txt", "a b é.toml"])
def test_a_configuration_of_any_editor_is_read(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert load_config(tmp_path / name).parent.name == "resnet18"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode("utf-16"), "UTF-16, and TOML is UTF-8. Save it as UTF-8"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("latin-1"), r"not UTF-8 \(byte \d+\)"),
        (b"a = " + b"[" * 10**5, "nested too deep|not TOML"),
        (b"a = 1\n\x1b[31m", r"not TOML \("),
        (b" " * (5 * 2**20), "more than the 4,194,304"),
        (b"", "parent is missing"),
    ],
)
def test_what_is_no_toml_is_one_message(content, words, tmp_path):
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(tmp_path / "a.toml")
    assert "a.toml" in str(caught.value) and str(caught.value).isprintable()


def test_a_configuration_in_the_home_is_found(tmp_path, monkeypatch):
    (tmp_path / "run.toml").write_text(TEXT)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_config("~/run.toml").parent.name == "resnet18"
    with pytest.raises(ConfigError, match="not a regular file"):
        load_config("~")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("parent.classes", 0, "parent.classes"),
        ("parent.classes", 10**12, "parent.classes = 1000000000000"),
        ("parent.classes", "ten", "parent.classes"),
        ("parent.weights_key", "", "parent.weights_key"),
        ("parent.weights_key", 3, "parent.weights_key"),
    ],
)
def test_keys_of_the_parents_weights(path, value, words):
    with pytest.raises(ConfigError, match=words):
        parse_config(changed(path, value))

from __future__ import annotations

import json

import pytest

from evoray.benchmarks import scaling as scaling_module
from evoray.benchmarks import throughput as throughput_module
from evoray.benchmarks.baselines import types_of
from evoray.errors import ConfigError, UsageError


@pytest.fixture
def measured(monkeypatch):
    """What would have been measured."""
    asked = []

    def throughput(model, densities, images, dtype, **options):
        asked.append((model, densities, images, dtype, options))
        beside = options["naive"]
        one = {
            "images_per_s": {"evoray": 98.76, "forward": 100.0, "naive": 50.0 if beside else None,
                             "naive_dtype": 12.5 if beside else None, "evotorch": None},
            "ratio_to_forward": 0.9876, "ratio_to_naive": 1.975, "ratio_to_naive_dtype": 7.9, "ratio_to_evotorch": None,
            "dtypes": types_of(dtype), "slow_dtype": "no units" if dtype == "bfloat16" else None,
            "rebuild_ms": 12.34, "dtype": dtype, "batch_size": options["batch_size"],
            "naive_batch_size": options["naive_batch_size"],
            "behind": 1.0, "cut": None, "kept_kib_per_image": 0.0,
        }  # fmt: skip
        return [one | {"density": density} for density in densities]

    monkeypatch.setattr(throughput_module, "throughput", throughput)
    return asked


def test_every_option_of_throughput_arrives(evoray, measured):
    words = "--model resnet50 --density 0.1 --density 0.01 --images 64 --dtype bfloat16 --size 32 --batch-size 16"
    words += " --naive-batch-size 8 --repeats 2 --threads 1 --layout contiguous --compile --cuda-graphs --no-naive"
    found = json.loads(evoray("bench", "throughput", *words.split(), "--json"))
    assert [one["density"] for one in found["results"]] == [0.1, 0.01]
    ((model, densities, images, dtype, options),) = measured
    assert (model, densities, images, dtype) == ("resnet50", [0.1, 0.01], 64, "bfloat16")
    assert options == {
        "size": 32, "batch_size": 16, "naive_batch_size": 8, "repeats": 2, "threads": 1, "layout": "contiguous",
        "compile": True, "cuda_graphs": True, "naive": False, "evotorch": False, "behind": (),
    }  # fmt: skip


def test_throughput_is_a_row_a_density(evoray, measured):
    shown = evoray("bench", "throughput", "--density", 0.1, "--density", 0.01)
    for words in ("98.8", "0.988", "1.975", "12.3 ms", "256 images a pass, naive 256", "EvoTorch is not installed"):
        assert words in shown
    shown = evoray("bench", "throughput", "--no-naive", "--batch-size", "auto")
    assert "naive" not in shown and "EvoTorch" not in shown
    assert (measured[-1][1], measured[-1][4]["batch_size"]) == ([0.01], None)


@pytest.mark.parametrize("name", ["./net", "HuggingFaceTB/SmolLM2-135M-Instruct", "parents/bert", "net.onnx"])
def test_what_is_no_network_of_torchvision_is_told_where_its_speed_is_said(evoray, name):
    with pytest.raises(
        ConfigError, match=r"networks of torchvision.*no texts.*work\.images_per_s in its summary\.json"
    ):
        throughput_module.throughput(name, [0.01], 4)


def test_the_table_says_which_type_each_ran_in(evoray, measured):
    shown = evoray("bench", "throughput", "--dtype", "bfloat16")
    words = shown.split("rebuild")[0].replace("┃", " ").split()
    assert words[-2:] == ["naive", "bfloat16"] and words.count("bfloat16") == 2, "one naive loop is of that type"
    assert "bfloat16: EvoRay, forward, naive bfloat16; float32: naive" in shown
    assert "12.5" in shown and "7.900" in shown
    assert "bfloat16 is slow here: no units. Give --dtype float32" in shown


def test_in_float32_the_naive_loop_is_one_and_nothing_is_slow(evoray, measured):
    shown = evoray("bench", "throughput")
    assert "float32: EvoRay, forward, naive" in shown
    assert "bfloat16" not in shown and "12.5" not in shown and "slow" not in shown


@pytest.mark.parametrize("size", ["0", "-1", "many", "2.5"])
def test_a_batch_size_that_is_none_is_named(size, evoray, measured):
    with pytest.raises(ConfigError, match=f"--batch-size {size}: give a number of images, or auto"):
        evoray("bench", "throughput", f"--batch-size={size}")


@pytest.fixture
def scaled(monkeypatch):
    asked = []

    def scaling(workers, load, repeats, progress):
        asked.append((workers, load, repeats))
        print("Ray says something")
        spread = {"efficiency": (0.9, 0.95), "driver_cpu_ms_per_unit": (1.0, 1.1)}
        return {
            "workers": workers, "units": load.units, "unit_seconds": load.unit_seconds, "startup_s": 3.0, "wall_s": 9.5,
            "efficiency": 0.9251, "driver_cpu_ms_per_unit": 1.05, "driver_rss_mb": 300.0, "driver_rss_growth_mb": 4.0,
            "spread": spread,
        }  # fmt: skip

    monkeypatch.setattr(scaling_module, "scaling", scaling)
    return asked


def test_scaling_is_an_entry_a_number_of_workers_and_stdout_is_for_it_alone(evoray, scaled):
    words = [
        "--workers",
        "2",
        "--workers",
        "4",
        "--units",
        "10",
        "--unit-seconds",
        "0.1",
        "--children",
        "3",
        "--logits-bytes",
        "5",
        "--repeats",
        "2",
    ]
    found = json.loads(evoray("bench", "scaling", *words, "--json"))
    assert [one["workers"] for one in found["results"]] == [2, 4]
    load = scaling_module.Load(10, 0.1, 3, 5)
    assert scaled == [(2, load, 2), (4, load, 2)]


def test_scaling_is_a_table_and_a_figure(evoray, scaled, tmp_path):
    shown = evoray("bench", "scaling", "--plot", tmp_path / "a.svg")
    assert [workers for workers, *_ in scaled] == [8, 16, 32]
    for words in ("2,000 x 0.5 s", "0.925", "1.05 ms a unit", "300 MB (+4)"):
        assert words in shown
    assert (tmp_path / "a.svg").read_text().count("<svg") == 1


def test_a_figure_that_cannot_be_drawn_is_refused_before_anything_is_measured(evoray, scaled, tmp_path):
    with pytest.raises(UsageError, match="--plot"):
        evoray("bench", "scaling", "--plot", tmp_path / "a.jpeg")
    assert scaled == []

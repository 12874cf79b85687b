"""Configurations and options that ask for too much, or for nothing that is: refused with the limit, at once."""

from __future__ import annotations

import time

import pytest
from damages import BYTES
from program import assert_clean, call

HUGE = 10**12


@pytest.fixture
def unchanged(material, monkeypatch):
    """The material itself, for what is refused before anything is written: a copy takes longer than the refusal."""
    monkeypatch.chdir(material)
    before = sorted(path.name for path in material.iterdir() if path.name != "__pycache__")
    yield material
    assert sorted(path.name for path in material.iterdir() if path.name != "__pycache__") == before


BEYOND = {
    "search.children": ["1000000000000", "0", "-1", "1.5", '"many"', "true", "[]", "1000001"],
    "search.generations": ["1000000000000", "0", "100001", '"x"'],
    "search.elite": ["1000000000000", "0", '"x"'],
    "search.budget_images": ["99999999999999999999", "0"],
    "search.confidence": ["nan", "inf", "1.0", "-1", "0.1"],
    "search.strategy": ['"x"', "3", '"os:system"', '":"', '"a:b"', '"../x:y"'],
    "ensemble.size": ["1000000000000", "0", "-3", "nan"],
    "ensemble.pool": ["1000000000000", "0"],
    "soup.size": ["1000000000000", "0"],
    "statistics.children_on_test": ["1000000000000", "-1"],
    "compute.workers": ["1000000", "0", "-1", "257", "1.5", '"x"'],
    "compute.cpus_per_worker": ["1e300", "0", "nan", "inf", "-1"],
    "compute.threads_per_worker": ["1000000", "0"],
    "compute.gpus_per_worker": ["1e300", "nan", "-1"],
    "compute.batch_size": ["1000000000000", "0", '"x"'],
    "compute.resident_gib": ["1e300", "inf", "nan", "-1"],
    "compute.device": ['"cuda:x\\u001b"', '"tpu"', "3"],
    "compute.dtype": ['"int8"', "8"],
    "compute.backend": ['"slurm"', '":x"'],
    "data.outputs": ["[1000000000000000000, 0, 1]", "[-1, 0, 1]", "[0]", "[0, 0, 1]", '["a"]', "[[0]]", "{}"],
    "data.cache_gb": ["1e300", "0", "nan", "inf"],
    "data.cache_dir": ['"relative"', "3"],
    "data.select": ["nan", "0", "-1", "2", "inf", '"half"'],
    "data.path": [
        *('"mock:images=1000000000000"', '"mock:images=10,classes=1000000000000"', '"mock:size=1000000000"'),
        *('"mock:channels=1000000"', '"mock:images=-1"', '"mock:images=1e3"', '"mock:images"', '"mock:=,=,"'),
        *('"mock:images=5000000,shard_size=1"', '"mock:images=100000,size=4096,shard_size=100000"', '"mock:x=1"'),
        *('"s3://"', '"x://y"', '"file:///nowhere"', '""', '"."', '"/dev/zero"', "3", '"a\\u0000b"'),
    ],
    "data.test_path": ['"nowhere"', '"mock:images=1000000000000"'],
    "mutation.sigma": ["nan", "inf", "0", "-1", "1e999", "true", '"x"', "[]"],
    "mutation.parts": ["0", "99999999999", "1000000", "1.5"],
    "mutation.include": ["[]", '["nothing*"]', '"fc"', "[3]", '["["]'],
    "mutation.scale": ['"max"'],
    "mutation.kind": ['"x"', '"os:system"'],
    "parent.mean": ["[nan]", "[1e999]", "[0.1, 0.2]", "[]", '"x"'],
    "parent.std": ["[0]", "[-1]", "[inf]"],
    "parent.name": ['"nothing"', '"no_such_module:f"', '"fuzzed_users:nothing"', '""', '":"', '"a:"', '"os:getcwd"'],
    "parent.weights": ['"nowhere.pth"', "3"],
    "fitness.name": ['"x"', '"no_such_module:f"', '"os:nothing"', "3"],
    "fitness.costs": ['"nowhere.csv"', "[[nan]]", "3", '"/dev/zero"', '"."'],
    "fitness.reference": ['"nowhere"', "3"],
    "fitness.constraints": ['["top1 > 3"]', '["nll <= nan"]', '["x >= 1e999"]', '"x"', '["nothing >= 0.5"]'],
    "task.name": ['"x"', '"no_such_module:T"', '"os:getcwd"'],
    "seed": ["-1", "9223372036854775808", "1e30", "0.5", '"x"', "nan"],
}
CASES = [(key, value) for key, values in BEYOND.items() for value in values]


@pytest.mark.parametrize(("key", "value"), CASES)
def test_a_value_beyond_its_limit(unchanged, key, value):
    outcome = call("run", "run.toml", "--out", "new", "--set", f"{key}={value}")
    assert_clean(outcome)
    assert outcome.code == 2
    assert outcome.memory < 2**28


@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [
        ("search.children", HUGE, "1000000"),
        ("search.generations", HUGE, "100000"),
        ("ensemble.size", HUGE, "10000"),
        ("compute.workers", 10**6, "10000"),
        ("compute.batch_size", HUGE, "1048576"),
        ("data.cache_gb", "1e300", "1000000"),
        ("data.outputs", f"[{10**18}]", "999999"),
        ("data.path", "mock:classes=1000000000000", "100000"),
        ("seed", 2**70, str(2**63 - 1)),
    ],
)
def test_the_limit_is_said_within_a_second(unchanged, key, value, limit):
    started = time.perf_counter()
    outcome = call("run", "run.toml", "--out", "new", "--set", f"{key}={value}")
    assert time.perf_counter() - started < 5, "a second on a machine that does nothing else"
    assert limit in outcome.message.replace(",", "")


def test_children_of_all_generations_together(unchanged):
    outcome = call(
        "run", "run.toml", "--out", "new", "--set", "search.children=1000000", "--set", "search.generations=100"
    )
    assert_clean(outcome)
    assert "10,000,000" in outcome.message


TOML = {
    "nothing": "",
    "no TOML": "= = =",
    "an open table": "[parent",
    "an open text": '[parent]\nname = "',
    "a key twice": "[data]\npath = 1\npath = 2",
    "a table twice": "[data]\n[data]",
    "nested arrays": "x = " + "[" * 100_000,
    "nested tables": "x = " + "{a=" * 50_000,
    "deep keys": ".".join("a" * 20_000) + " = 1",
    "a section of sections": "[" + ".".join(["a"] * 5000) + "]",
    "digits": "seed = " + "9" * 100_000,
    "hexadecimal": "seed = 0x" + "f" * 10_000,
    "thousands of keys": "\n".join(f"key{number} = {number}" for number in range(20_000)),
    "thousands of sections": "\n".join(f"[section{number}]" for number in range(20_000)),
    "a megabyte of a name": f'[parent]\nname = "{"x" * 2**19}"',
    "two megabytes": "# " + "x" * 2**21,
    "a date": "seed = 1979-05-27T07:32:00Z",
    "a wrong date": "seed = 1979-99-99",
    "sections that are values": "parent = 3\ndata = 'x'\nsearch = []\nmutation = 1.5\ncompute = true",
    "lists of tables": "[[parent]]\n[[data]]\n[[search]]",
    "JSON": '{"parent": {"name": "x"}}',
    "YAML": "parent:\n  name: x\n",
    "a BOM in the middle": "[par\ufeffent]\nname = 1",
    "controls": "[parent]\nname = 'a\x01b'",
    "escapes": '"\\u001b[31m" = 1',
    "a list without end": "[data]\noutputs = [" + "0," * 200_000 + "]",
    "patterns without end": "[mutation]\ninclude = [" + '"x",' * 50_000 + "]",
}


@pytest.mark.parametrize("name", TOML)
def test_a_file_that_is_no_run(place, name):
    (place / "it.toml").write_text(TOML[name], encoding="utf-8")
    outcome = call("run", "it.toml", "--out", "new")
    assert_clean(outcome)
    assert outcome.code == 2 and "it.toml" in outcome.message and not (place / "new").exists()


@pytest.mark.parametrize("damage", [name for name in BYTES if not name.startswith(("cut", "a byte"))])
@pytest.mark.parametrize("command", ["run", "window", "submit"])
def test_a_damaged_configuration(place, command, damage):
    BYTES[damage](place / "run.toml")
    extra = ["--address", "http://127.0.0.1:1"] if command == "submit" else ["--out", "new"]
    assert_clean(call(command, "run.toml", *extra))


@pytest.mark.parametrize(
    "override",
    [
        *("", "=", "=1", "a", "a.", "a.=1", ".a=1", "a..b=1", " =1", "seed", "seed=", "seed=1=2", "seed.x=1"),
        *("data.path.x=1", "data=3", "data=[]", "parent={}", "search={children=[]}", "a" * 10_000 + "=1"),
        *("x=" + "[" * 100_000, "x=" + "9" * 10_000, ".".join("a" * 10_000) + "=1", "seed=1\nseed=2", "\0=1", "x=\0"),
    ],
)
def test_an_odd_override(unchanged, override):
    assert_clean(call("run", "run.toml", "--out", "new", "--set", override))


THROUGHPUT, SCALING, WINDOW = ["bench", "throughput"], ["bench", "scaling"], ["window", "run.toml", "--out", "new"]
INGEST, SUBMIT = ["data", "ingest", "tree", "new"], ["submit", "run.toml", "--address", "http://127.0.0.1:1"]
EACH = [
    (THROUGHPUT, ("--images", "--size", "--repeats", "--threads", "--batch-size"), ("0", "1000000000000", "-1", "x")),
    (THROUGHPUT, ("--density",), ("nan", "0", "-1", "2", "1e-300", "inf", "0.3")),
    (THROUGHPUT, ("--batch-size",), ("²", "9" * 5000)),
    (THROUGHPUT, ("--dtype", "--layout"), ("x",)),
    (SCALING, ("--workers", "--units", "--children", "--repeats"), ("0", "1000000000000", "1.5")),
    (SCALING, ("--unit-seconds",), ("nan", "inf", "-1", "1e300")),
    (SCALING, ("--logits-bytes",), ("1000000000000",)),
    (SCALING, ("--plot",), ("x.txt", "nowhere/x.svg", "/dev/null")),
    (WINDOW, ("--sigmas",), ("nan", "inf", "x", "-1", "0", "1e999", "1," * 20_000)),
    (WINDOW, ("--densities",), ("nan", "0", "2", "1e-300", "-1")),
    (WINDOW, ("--children",), ("1", "1000000000000", "1000000")),
    (WINDOW, ("--share",), ("nan", "0", "2", "inf")),
    (WINDOW, ("--images",), ("1000000000000", "0")),
    (["demo", "--out", "new"], ("--seed",), ("-1", str(2**64))),
    (["demo", "--out", "new"], ("--backend",), ("x", "\x1b[31m")),
    (["demo"], ("--out",), ("run.toml/x", "/dev/null/x", "run", "run.toml", "x\0y")),
    (INGEST, ("--resize",), ("²", "0", "9" * 5000, "100000")),
    (INGEST, ("--crop",), ("0", "1000000000")),
    (INGEST, ("--channels",), ("2", "1000000000")),
    (INGEST, ("--interpolation", "--format", "--backend"), ("x", "\x1b[2J")),
    (INGEST, ("--decoder",), ("\x1b[2J",)),
    (INGEST, ("--per-class", "--workers", "--shard-size"), ("0", str(10**12), str(10**30))),
    (INGEST, ("--seed",), ("-1", str(2**64))),
    (INGEST, ("--for",), ("nowhere.toml", "run")),
    (SUBMIT, ("--address",), ("http://127.0.0.1:1", "ftp://x", "http://[", "", "http://\x1b")),
    (SUBMIT, ("--out",), ("relative", "/a\0b")),
    (SUBMIT, ("--env",), ("x", "=1", "a\0=1")),
]
SOURCES = ["nowhere", "", "/dev/zero", "/dev/null", "run.toml", "no_such_module:f", "os:getcwd", "x\0y", "run"]
DESTS = ["run", "run.toml", "run.toml/x", "/dev/null", "x\0y", "/proc/x", ""]
OPTIONS = [
    *([*command, option, value] for command, options, values in EACH for option in options for value in values),
    *(["data", "ingest", source, "new"] for source in SOURCES),
    *(["data", "ingest", "tree", dest] for dest in DESTS),
    *(["show"], ["export", "run"], ["rebuild"], ["nothing"]),
    ["run", "run.toml", "--resume", "--out", "nowhere"],
]


@pytest.mark.parametrize("arguments", OPTIONS, ids=lambda arguments: " ".join(arguments)[:80].replace("\0", "NUL"))
def test_an_option_beyond_its_limit(unchanged, arguments):
    assert_clean(call(*arguments))

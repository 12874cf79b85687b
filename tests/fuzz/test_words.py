"""Whatever a stranger named (a file, a class, a key, an error) is shown plainly, on any terminal."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys

import pytest
from damages import set_value
from program import assert_clean, call

from evoray.commands.common import Bars, guarded
from evoray.errors import ConfigError, RunError
from evoray.runtime.reading import LINES, SCREEN, screen

ODD = {
    "a colour": "\x1b[31mred\x1b[0m",
    "a cleared screen": "\x1b[2J\x1b[H",
    "a title": "\x1b]0;mine\x07",
    "a link": "\x1b]8;;http://x\x1b\\x",
    "a new line": "one\ntwo\r\nthree",
    "a bell": "\a\b\b\b",
    "eight-bit controls": "\x9b31mred\x9d",
    "right to left": "abc\u202edcb\u2066x",
    "markup": "[bold red]x[/] [/] [link=http://x]y",
    "half markup": "[/bold]",
    "emoji codes": ":smile: :warning:",
    "a long one": "x" * 5000,
    "surrogates": "a\udcffb",
    "a NUL": "a\0b",
    "no ASCII": "größe 猫 ×…",
    "a backslash": "a\\[b\\]",
}
NAMES = [name for name in ODD if name not in ("a long one", "a NUL")]


def expected(word):
    """What of it has to be seen as it is."""
    return word if word.isprintable() and len(word) < 100 else None


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{}"],
        ["show", "{}"],
        ["run", "run.toml", "--out", "new", "--set", "data.path={}"],
        ["run", "run.toml", "--out", "new", "--set", "{}"],
        ["export", "run", "{}", "-o", "out.safetensors"],
        ["data", "show", "{}"],
        ["{}"],
        ["run", "run.toml", "--{}"],
        ["bench", "scaling", "--units", "{}"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_an_odd_argument(place, name, arguments):
    outcome = call(*(word.replace("{}", ODD[name]) for word in arguments))
    assert_clean(outcome)
    assert not (place / "new").exists() and not list(place.glob("out*"))


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_of_a_folder(place, name):
    folder = place / ODD[name].replace("/", "_")
    folder.mkdir()
    (folder / "summary.json").write_text("{")
    (folder / "manifest.json").write_text("{")
    (folder / "it.toml").write_text("= ")
    for command in (
        ["show", folder],
        ["data", "show", folder],
        ["run", folder / "it.toml"],
        ["data", "verify", folder],
    ):
        assert_clean(call(*command))


@pytest.mark.parametrize("name", [name for name in ODD if name != "a long one"])
def test_an_odd_class(place, name):
    path = place / "shards" / "manifest.json"
    values = json.loads(path.read_bytes())
    values["classes"][1] = ODD[name]
    values["unreadable"] = [{"source": ODD[name], "error": ODD[name]}]
    values.pop("sha256")
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    path.write_text(json.dumps({**values, "sha256": hashlib.sha256(text.encode()).hexdigest()}, indent=1) + "\n")
    outcome = call("data", "show", "shards")
    assert_clean(outcome, may_be_good=True)
    assert outcome.code == 0 or name == "surrogates"
    if (word := expected(ODD[name])) and len(word) < 10:
        assert word in outcome.out


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("keys", ["verdict", "best_child.id", "ensemble.members.0.id", "fitness"])
def test_an_odd_word_in_a_summary(place, keys, name):
    set_value(place / "run" / "summary.json", keys, ODD[name])
    assert_clean(call("show", "run"), may_be_good=True)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_key_of_a_configuration(place, name):
    key = json.dumps(ODD[name].encode(errors="replace").decode())
    (place / "odd.toml").write_text(f"{(place / 'run.toml').read_text()}\n[search.{key}]\n{key} = {key}\n")
    outcome = call("run", "odd.toml", "--out", "new")
    assert_clean(outcome)
    assert outcome.code == 2


@pytest.mark.parametrize("name", ODD)
def test_progress_shows_odd_words_plainly(name, capsys):
    with Bars() as bars:
        bars.note(ODD[name])
        bars.stage(ODD[name], 3, ODD[name])
        bars.advance(1)
    shown = capsys.readouterr().err
    assert "\x1b" not in shown and "\a" not in shown
    if word := expected(ODD[name]):
        assert word in " ".join(shown.split())


def test_a_message_is_at_most_a_screen():
    assert screen("x") == "x" and screen("a\nb") == "a\nb"
    many = screen("\n".join(f"line {number}" for number in range(10_000)))
    assert many.count("\n") == LINES and many.endswith(f"… and {10_000 - LINES:,} lines more")
    long = screen("x" * 10**6)
    assert len(long) <= SCREEN and "characters left out" in long


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_of_any_encoding(monkeypatch, encoding, name):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stderr", stream)

    def raises():
        with Bars() as bars:
            bars.note(f"{ODD[name]} × 3 …")
            bars.stage("größe", 2)
            bars.advance(1)
        raise ConfigError(f"{ODD[name]}: größe × 3 …")

    with pytest.raises(SystemExit) as ended:
        guarded(raises)
    stream.flush()
    written = stream.buffer.getvalue()
    assert ended.value.code == 2 and b"\x1b" not in written and b"error" in written


def test_no_memory_is_one_message(capsys):
    def asks():
        raise MemoryError

    with pytest.raises(SystemExit) as ended:
        guarded(asks)
    assert ended.value.code == 1 and "memory" in capsys.readouterr().err
    with pytest.raises(RunError):
        raise RunError("x")


def test_the_program_itself_in_ascii_and_without_a_home(place):
    """The one real process here: no locale, no HOME, output that knows ASCII alone."""
    environment = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    for arguments, code in ((["show", "run"], 0), (["show", "größe"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "evoray", *arguments], env=environment, capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
        done.stdout.decode("ascii"), done.stderr.decode("ascii")

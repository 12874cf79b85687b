from __future__ import annotations

import matplotlib.figure
import pyarrow as pa
import pytest

import evoray
from evoray.errors import LineageError, UsageError
from evoray.runs.run import load_run


def test_everything_of_a_finished_run(made):
    run = evoray.load_run(str(made / "a"))
    assert (run.state, run.config["mutation"]["sigma"], run.summary["seed"]) == ("finished", 0.5, 3)
    assert run.verdict == run.summary["verdict"] and len(run.rounds) >= 2
    assert isinstance(run.population, pa.Table) and run.population.num_rows == 4
    assert run.predictions.num_rows == run.summary["splits"]["test"]
    assert run.lineage("parent").entries == ()
    assert len(run.lineage("best").entries) == 1
    member = run.summary["ensemble"]["members"][0]["id"]
    assert len(run.lineage(member).entries) == 1


def test_figures_by_name(made):
    figures = load_run(str(made / "a")).figures()
    assert {"differences", "population", "cost"} <= figures.keys()
    assert all(isinstance(one, matplotlib.figure.Figure) for one in figures.values())
    assert "select" in figures["population"].axes[0].get_ylabel()


def test_frames(made, monkeypatch):
    pytest.importorskip("pandas")
    run = load_run(str(made / "a"))
    assert len(run.frame()) == 4 and list(run.frame("predictions").columns) == run.predictions.column_names
    with pytest.raises(UsageError, match=r"nothing: no table of a run\. Name population, predictions"):
        run.frame("nothing")
    with pytest.raises(UsageError, match=r"no answers\.parquet in it"):
        run.frame("answers")


def test_a_frame_without_pandas_says_what_is_missing(made, monkeypatch):
    run = load_run(str(made / "a"))
    run.population  # noqa: B018

    class Table:
        def to_pandas(self):
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setitem(run.__dict__, "population", Table())
    with pytest.raises(UsageError, match=r"pip install pandas.*\.population is an Arrow table"):
        run.frame("population")


def test_shown_in_a_few_lines_and_as_a_table(made):
    run = load_run(str(made / "a"))
    assert repr(run).startswith(f"Run in {made / 'a'}\n") and len(repr(run)) < 1000
    shown = run._repr_html_()
    assert run.verdict[:20] in shown and "Ensemble of 2" in shown and " to " in shown and shown.count("<tr>") == 5
    assert evoray.RunResult(run.directory, run.summary, run.population)._repr_html_() == shown


def test_what_strangers_wrote_stays_text(finished, summary):
    finished.write_json("summary.json", summary | {"verdict": "<script>alert(1)</script>\x1b[31m"})
    shown = load_run(finished.location)._repr_html_()
    assert "<script" not in shown and "\x1b" not in shown + repr(load_run(finished.location))


@pytest.mark.parametrize("rounds", [0, 2])
def test_an_unfinished_run_has_what_there_is(finished, rounds):
    finished.remove("summary.json")
    line = '{"generation": %d, "kind": "child", "standing": "best so far: NLL 0.3"}\n'
    finished.write("metrics.jsonl", "".join(line % number for number in range(rounds)).encode())
    run = load_run(finished.location)
    assert run.state == "stopped" and len(run.rounds) == rounds and run.config["seed"] == 7
    assert f"stopped, not finished: {rounds} generations done" in repr(run)
    assert ("best so far: NLL 0.3" in run._repr_html_()) == (rounds > 0)
    with pytest.raises(UsageError, match=r"The run has not finished"):
        run.summary  # noqa: B018
    with pytest.raises(UsageError, match=r"The run has not finished"):
        run.lineage("best")


@pytest.mark.parametrize("place", ["absent", "file", "empty"])
def test_no_run_is_named(tmp_path, place):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=rf"{place}: no run in it\. Name a run directory"):
        load_run(str(tmp_path / place))


@pytest.mark.parametrize(
    ("name", "content", "asked"),
    [
        ("summary.json", b"{", "summary"),
        ("config.json", b"[]", "config"),
        ("population.parquet", b"PAR1", "population"),
        ("predictions.parquet", b"PAR1", "predictions"),
    ],
)
def test_a_damaged_file_is_named(finished, name, content, asked):
    finished.write(name, content)
    run = load_run(finished.location)
    with pytest.raises(UsageError, match=name):
        getattr(run, asked)
    assert "\n" in repr(run) and run._repr_html_().startswith("<")


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"entries": 3}'])
def test_a_damaged_lineage_is_named(runs, content):
    (runs / "a" / "lineage" / "best.json").write_bytes(content)
    with pytest.raises(LineageError):
        load_run(str(runs / "a")).lineage("best")


def test_a_misspelt_member_is_guessed(made):
    with pytest.raises(UsageError, match=r'Did you mean "soup"\? Name one of parent, best, soup, g0000'):
        load_run(str(made / "a")).lineage("suop")
    with pytest.raises(UsageError, match="no member"):
        load_run(str(made / "a")).lineage("../../etc/passwd")


def test_from_a_uri(made):
    assert load_run(f"file://{made}/a").summary == load_run(str(made / "a")).summary

"""The campaign of faults (``chaos.py``): what a seed draws, how endings are told apart, and a hundred faults."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from disturbance import endings, play, report, schedule

STAGES = {"start": 1.0, "child": 2.0, "soup": 1.0, "panel/test": 0.5, "results": 0.2}


def test_a_seed_draws_the_same_again_and_all_kinds_come_in_all_stages():
    drawn = [schedule.draw(seed, "any", STAGES) for seed in range(200)]
    assert drawn == [schedule.draw(seed, "any", list(STAGES)) for seed in range(200)]
    faults = [fault for one in drawn for fault in one.faults]
    assert {(fault.kind, fault.stage) for fault in faults} == {
        (kind, stage) for kind in schedule.LOCAL for stage in STAGES
    }
    assert all(2 <= len(one.faults) <= 6 for one in drawn)
    order = list(STAGES)
    for one in drawn:
        assert list(one.faults) == sorted(one.faults, key=lambda fault: (order.index(fault.stage), fault.share))


def test_an_answer_is_told_from_another_and_from_its_own_times(tmp_path):
    for name, nll, wall in (("one", 0.5, 1.0), ("again", 0.5, 2.0), ("other", 0.6, 1.0)):
        (tmp_path / name / "journal").mkdir(parents=True)
        (tmp_path / name / "journal" / name).touch()
        (tmp_path / name / "summary.json").write_text(
            json.dumps({"nll": nll, "run_id": name, "work": {"wall_s": wall}})
        )
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps({"generation": 0, "wall_s": wall}) + "\n")
        (tmp_path / name / "population.parquet").write_bytes(b"rows")
    one, again, other = (endings.answer_of(tmp_path / name) for name in ("one", "again", "other"))
    assert len(one) == 3 and endings.differing(one, again) == []
    assert endings.differing(one, other) == ["summary.json"]
    (tmp_path / "again" / "population.parquet.1.part").touch()
    (tmp_path / "again" / "lock.json").touch()
    assert endings.halves(tmp_path / "again") == ["lock.json", "population.parquet.1.part"]
    assert endings.halves(tmp_path / "one") == []


def test_a_process_that_is_left_is_found():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert endings.left_over([process.pid], 0.1) == {process.pid: "sleep 60"}
    finally:
        process.kill()
        process.wait()
    assert endings.left_over([process.pid]) == {}


@pytest.mark.parametrize(
    ("kinds", "code", "said", "wrong"),
    [
        (["full disk"], 1, "error x: cannot be written (No space left on device).", ""),
        (["driver killed"], 1, "error x: cannot be written (No space left on device).", "without a reason"),
        (["driver killed"], -signal.SIGKILL, "", ""),
        (["driver stopped"], -signal.SIGKILL, "", "died of signal 9"),
        (["full disk"], 1, "Traceback (most recent call last):\nOSError: No space left on device", "stack trace"),
        (["full disk"], None, "", "hangs"),
    ],
)
def test_an_ending_is_right_or_wrong(kinds, code, said, wrong):
    played = play.Played(0, "any", "local", [play.Seen(kind, "child", "seen") for kind in kinds], 1)
    assert play._judge(played, code, said) == (not wrong)
    assert wrong in " ".join(played.wrong)


def test_a_report_counts_faults_of_wrong_runs_apart(tmp_path):
    right = play.Played(
        0, "a/b", "local", [play.Seen("full disk", "child", "full", "refused")] * 2, 2, ["No space left"]
    )
    wrong = play.Played(1, "a/c", "local", [play.Seen("slow disk", "soup", "3", "went on")], 1, [], ["bytes differ"])
    about = {"command": "c", "commit": "abcdef0", "date": "d", "device": "2 cores", "minutes": 1.0, "wanted": 4}
    summary = report.summary_of([right, wrong], about)
    assert (summary["faults"], summary["right_endings"]) == (3, 2)
    assert summary["kinds"]["full disk"] == {"child": 2, "soup": 0}
    both = report.merged(summary, summary | {"command": "d"})
    assert (both["faults"], both["kinds"]["full disk"]["child"], both["command"]) == (6, 4, "c; d")
    assert len(both["wrong"]) == 2 and summary["faults"] == 3
    report.write(tmp_path, summary)
    page = (tmp_path / "chaos.md").read_text()
    assert "short" in page and "WRONG, seed 1 (a/c): bytes differ" in page and "| slow disk* | 0 | 1 | 1 |" in page


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_faults(tmp_path):
    command = [sys.executable, str(Path(__file__).with_name("chaos.py")), "--faults", "100", "--minutes", "50"]
    command += ["--work", str(tmp_path / "work"), "--report", str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    summary = json.loads((tmp_path / "chaos.json").read_text())
    assert summary["right_endings"] == summary["faults"] >= 100, done.stdout

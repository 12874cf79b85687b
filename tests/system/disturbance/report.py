"""What a campaign found, as a page and as JSON; no place of the machine is in either."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from disturbance.faults import SEAMS
from disturbance.play import Played


def summary_of(played: Sequence[Played], about: dict) -> dict:
    """Counts by kind, stage, backend and run; a fault ends right where all of its run does."""
    faults = [(one, fault) for one in played for fault in one.faults]
    right = [fault for one, fault in faults if not one.wrong]
    stages = list(dict.fromkeys(fault.stage for _, fault in faults))
    return {
        **about,
        "runs": len(played),
        "runs_disturbed": sum(bool(one.faults) for one in played),
        "faults": len(faults),
        "right_endings": len(right),
        "kinds": {
            kind: {stage: sum(f.kind == kind and f.stage == stage for _, f in faults) for stage in stages}
            for kind in sorted({fault.kind for _, fault in faults})
        },
        "ended": {
            kind: dict(Counter(fault.ended for _, fault in faults if fault.kind == kind))
            for kind in sorted({fault.kind for _, fault in faults})
        },
        "backends": dict(Counter(one.backend for one, _ in faults)),
        "cases": dict(sorted(Counter(one.case for one, _ in faults).items())),
        "attempts": sum(one.attempts for one in played),
        "refusals": dict(Counter(_words(text) for one in played for text in one.refusals).most_common()),
        "wrong": [{"seed": one.seed, "case": one.case, "wrong": one.wrong} for one in played if one.wrong],
    }


def _words(refusal: str) -> str:
    """A refusal without its numbers and names, so that alike ones are counted together."""
    known = ("stopped by SIGTERM", "No space left", "damaged", "no longer there", "cannot be written", "memory")
    return next((one for one in known if one in refusal), refusal[:80])


def merged(first: Any, second: Any) -> Any:
    """Summaries of two campaigns as one: numbers are added, lists and texts joined."""
    if isinstance(first, dict):
        keys = dict.fromkeys([*first, *second])
        return {
            key: merged(first[key], second[key]) if key in first and key in second else first.get(key, second.get(key))
            for key in keys
        }
    if isinstance(first, str):
        return first if first == second else f"{first}; {second}"
    return first + second


def page_of(summary: dict) -> str:
    summary["kinds"] = dict(sorted(summary["kinds"].items()))
    kinds, stages = summary["kinds"], list(dict.fromkeys(stage for row in summary["kinds"].values() for stage in row))
    lines = [
        "# Chaos",
        "",
        f"`{summary['command']}` on {summary['device']}, {summary['date']}, commit {summary['commit']}: "
        f"{summary['faults']:,} faults of {len(kinds)} kinds in {summary['runs_disturbed']:,} runs, "
        f"{summary['right_endings']:,} right endings; {summary['minutes']:g} minutes.",
        "",
        "A fault counts once it was seen to have happened. A right ending is the bytes of an undisturbed run, or one "
        "clear refusal after which the run goes on to those bytes; no half-written file, no lock, no process is left.",
        f"Wanted were {summary['wanted']:,} faults" + (".", ": the campaign is short of that.")[_is_short(summary)],
        "",
        "| kind | " + " | ".join(stages) + " | all | how their drivers ended |",
        "|-" * (len(stages) + 3) + "|",
    ]
    for kind, row in kinds.items():
        ended = ", ".join(f"{count} {how}" for how, count in sorted(summary["ended"][kind].items()))
        counts = " | ".join(str(row.get(stage, 0)) for stage in stages)
        lines.append(f"| {kind}{'*' if kind in SEAMS else ''} | {counts} | {sum(row.values())} | {ended} |")
    lines += ["", "\\* at a seam; all others are real (signals, tmpfs, files, limits of the kernel).", ""]
    lines += ["| run | faults |", "|-|-|", *(f"| {case} | {count} |" for case, count in summary["cases"].items()), ""]
    lines += ["| refusal | times |", "|-|-|", *(f"| {said} | {count} |" for said, count in summary["refusals"].items())]
    for one in summary["wrong"]:
        lines += ["", f"WRONG, seed {one['seed']} ({one['case']}): {'; '.join(one['wrong'])}"]
    return "\n".join([*lines, ""])


def _is_short(summary: dict) -> bool:
    return summary["right_endings"] < summary["wanted"]


def write(folder: Path, summary: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.json").write_text(json.dumps(summary, indent=1) + "\n")
    (folder / "chaos.md").write_text(page_of(summary))

"""The spam study's mails and measures, by hand."""

from __future__ import annotations

import email
import email.policy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks" / "spam"
LETTER = b"Subject: [list] Lunch\nContent-Type: text/plain\n\nAt noon?\n"
PAGE = b"Subject: Win\nContent-Type: text/html\n\n<style>p {}</style><p>Money &amp; more</p>\n"


@pytest.fixture(scope="module")
def parts():
    """(mails, run), which import each other by their bare names."""
    before = {name: sys.modules.pop(name, None) for name in ("mails", "run")}
    sys.path.insert(0, str(FOLDER))
    try:
        import mails
        import run

        yield mails, run
    finally:
        sys.path.remove(str(FOLDER))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@pytest.mark.parametrize(("raw", "text"), [(LETTER, "Lunch. At noon?"), (PAGE, "Win. Money & more")])
def test_a_mail_is_what_a_person_sees(parts, raw, text):
    assert parts[0].seen(email.message_from_bytes(raw, policy=email.policy.default)) == text


def test_mails_come_once_and_those_of_two_minds_not_at_all(parts, tmp_path):
    other = LETTER.replace(b"noon", b"one")
    for group, some in {"easy-ham-1": (LETTER, LETTER, PAGE), "spam-1": (PAGE, other)}.items():
        (tmp_path / group).mkdir()
        for number, raw in enumerate(some):
            (tmp_path / group / f"{number}.txt").write_bytes(raw)
    assert sorted(parts[0].read(tmp_path)) == [("Lunch. At noon?", 0), ("Lunch. At one?", 1)]


def test_sets_are_disjoint(parts):
    sets = parts[0].split(50, (10, 20, 20), seed=3)
    assert [len(one) for one in sets] == [10, 20, 20] and len(np.unique(np.concatenate(sets))) == 50


def test_measures(parts):
    answers, labels = np.array([1, 1, 0, 0]), np.array([1, 0, 0, 1])
    assert parts[1].cost(answers, labels) == (20 + 1) / 4
    assert parts[1].macro_f1(answers, labels) == 0.5
    found = parts[1].interval(answers, labels, labels, "cost")
    assert (found["gain"], found["lost"], found["read"]) == (-21 / 4, 1, 1) and found["high"] <= 0


def test_its_table_has_a_row_for_each_way(parts):
    answers, labels = np.array([1, 1, 0, 0]), np.array([1, 0, 0, 1])
    rows = {name: parts[1].interval(one, answers, labels, "cost") for name, one in
            {"parent": answers, "threshold": labels, "head: soup": labels}.items()}  # fmt: skip
    runs = {"head": {"sigma": 0.1, "seconds": 12.3, "verdict": "Improved."}}
    found = parts[1].table({"cases": {"cost 0": {"rows": rows, "runs": runs, "commit": "abc"}}})
    assert (
        "| parent | 5.2500 | +0.0000 | +0.0000 to +0.0000 | 1 | 1 |  |" in found and "### cost, seed 0 (abc)" in found
    )
    assert "| threshold | 0.0000 | +5.2500 |" in found and "| 0 | 0 | 12, sigma 0.1 |" in found and "Improved." in found


def test_records_of_shards_are_found_among_the_mails(parts, tmp_path):
    """Whose answers a run's table holds, in the order of its shards."""
    from types import SimpleNamespace

    from evoray.data import open_dataset
    from evoray.ingest.options import Options
    from evoray.ingest.records.ingest import ingest_records, wanted_of
    from evoray.runtime.progress import Progress

    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{row},{10 * row}\n" for row in range(7)))
    wanted = wanted_of(Options(shard_size=3), "regression", ("x",), ("y",))
    ingest_records(str(tmp_path / "t.csv"), tmp_path / "shards-test", wanted, Progress())
    rows = parts[1].Mails.rows(SimpleNamespace(folder=tmp_path))
    dataset = open_dataset(str(tmp_path / "shards-test"))
    targets = np.concatenate([dataset.load(shard)["target"].ravel() for shard in range(len(dataset.shard_rows))])
    assert sorted(rows) == list(range(7)) and (targets == 10 * rows).all()


def test_the_threshold_is_where_the_measure_is_best(parts):
    scores, labels = np.array([-2.0, -1.0, 0.5, 3.0]), np.array([0, 0, 1, 1])
    place = parts[1].threshold(scores, labels, parts[1].cost, -1)
    assert -1 < place < 0.5


def test_a_fitted_head_stands_where_its_loss_is_flat(parts):
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 4, dtype=torch.float64, generator=random)
    labels = (inputs[:, 0] + 0.5 * torch.randn(60, generator=random) > 0).long().numpy()
    head = parts[1].fitted(inputs, labels, 1e-2).requires_grad_()
    loss = torch.nn.functional.cross_entropy(parts[1].logits(inputs, head), torch.from_numpy(labels))
    (loss + 1e-2 * head[:-1].square().sum()).backward()
    assert head.grad.abs().max() < 1e-5

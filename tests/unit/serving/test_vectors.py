"""Rows of numbers over HTTP: what the run's network says of them, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from served_app import App, check_refusal
from served_runs import client_of, numbers, whole_numbers

from evoray.serving.plan import Limits, Plan, Refused
from evoray.serving.predictor import Predictor
from evoray.serving.vectors import Numbers

JSON = "application/json"


@pytest.fixture(scope="module", params=["regression", "multi-label"])
def either(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    result, rows = numbers(folder, request.param)
    predictor = Predictor(Plan(result.directory.location, "soup", str(folder)))
    return client_of(predictor, App), predictor, rows


@pytest.fixture
def whole(tmp_path, monkeypatch):
    result = whole_numbers(tmp_path, monkeypatch)
    predictor = Predictor(Plan(result.directory.location, "best", str(tmp_path)))
    return client_of(predictor, App), predictor


def test_answers_are_those_of_the_network(either):
    client, predictor, rows = either
    plain = [[row["a"], row["b b"], row["c"]] for row in rows[:4]]
    found = client.post("/predict", json={"inputs": plain}).json()["answers"]
    with torch.inference_mode():
        wanted = predictor.network.models[0](torch.tensor(plain)).double()
    for answer, row in zip(found, wanted.tolist(), strict=True):
        if predictor.kind == "regression":
            assert [one["name"] for one in answer["values"]] == ["y", "z"]
            assert [one["value"] for one in answer["values"]] == pytest.approx(row, abs=1e-6)
        else:
            assert {one["name"]: one["given"] for one in answer["labels"]} == {"y": row[0] > 0, "z": row[1] > 0}


def test_a_row_by_its_columns_is_the_row_in_their_order(either):
    client, _, rows = either
    named = {name: rows[0][name] for name in ("c", "a", "b b")}
    plain = [rows[0]["a"], rows[0]["b b"], rows[0]["c"]]
    bodies = ({"input": plain}, {"input": named}, {"inputs": [named]}, {"inputs": [plain]}, {"inputs": plain})
    answers = [client.post("/predict", json=body).json()["answers"] for body in bodies]
    assert len(answers[0]) == 1 and all(one == answers[0] for one in answers)
    facts = client.get("/health").json()
    assert (facts["takes"], facts["shape"], facts["columns"]) == ("numbers", [3], ["a", "b b", "c"])


HOSTILE = {
    "nothing": (JSON, b"", 400),
    "text": ("text/plain", b"1,2,3", 415),
    "csv": ("text/csv", b"1,2,3", 415),
    "a picture": ("image/png", b"\x89PNG\r\n\x1a\n", 415),
    "octets": ("application/octet-stream", np.zeros(3, np.float32).tobytes(), 415),
    "numpy": ("application/x-npy", b"\x93NUMPY" + bytes(60), 415),
    "a pickle": ("application/x-pickle", b"\x80\x04cos\nsystem\n(S'id'\ntR.", 415),
    "a form": ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", 415),
    "no type": ("", b'{"input": [1, 2, 3]}', 415),
    "too long": (JSON, bytes(2**20 + 1), 413),
    "json, cut": (JSON, b'{"input": [1, 2', 400),
    "json of depth": (JSON, b'{"input":' + b"[" * 100_000, 400),
    "json in utf-16": (JSON, '{"input": [1, 2, 3]}'.encode("utf-16"), 400),
    "a column twice": (JSON, b'{"input": {"a": 1, "a": 9, "b": 2, "c": 3}}', 400),
    "nan": (JSON, b'{"input": [NaN, 2, 3]}', 400),
    "infinity": (JSON, b'{"input": [1, -Infinity, 3]}', 400),
    "infinite digits": (JSON, b'{"input": [1e999, 2, 3]}', 400),
    "a huge whole number": (JSON, b'{"input": [' + b"9" * 5000 + b", 2, 3]}", 400),
    "beyond float32": (JSON, b'{"input": [1e39, 2, 3]}', 422),
    "beyond it, below": (JSON, b'{"input": [1, -3.5e38, 3]}', 422),
    "beyond it, whole": (JSON, b'{"input": [' + b"9" * 40 + b", 2, 3]}", 422),
    "the largest": (JSON, b'{"input": [3.4e38, -3.4e38, 0]}', (200, 422)),
    "the smallest": (JSON, b'{"input": [1e-320, -1e-320, 0]}', 200),
    "switches": (JSON, b'{"input": [true, false, true]}', 200),
    "words": (JSON, b'{"input": ["1", "2", "3"]}', 422),
    "null": (JSON, b'{"input": null}', 422),
    "null in a row": (JSON, b'{"input": [1, null, 3]}', 422),
    "a number": (JSON, b'{"input": 7}', 422),
    "a text": (JSON, b'{"input": "1,2,3"}', 422),
    "too few": (JSON, b'{"input": [1, 2]}', 422),
    "too many numbers": (JSON, b'{"input": [1, 2, 3, 4]}', 422),
    "none": (JSON, b'{"input": []}', 422),
    "no row": (JSON, b'{"inputs": [[]]}', 422),
    "a number beside rows": (JSON, b'{"inputs": [[1, 2, 3], 4]}', 422),
    "null beside rows": (JSON, b'{"inputs": [[1, 2, 3], null]}', 422),
    "a shorter second": (JSON, b'{"inputs": [[1, 2, 3], [1, 2]]}', 422),
    "deeper": (JSON, b'{"inputs": [[[1, 2, 3]]]}', 422),
    "a row in a row": (JSON, b'{"input": [1, [2], 3]}', 422),
    "a column that is missing": (JSON, b'{"input": {"a": 1, "c": 2}}', 422),
    "a column of nobody's": (JSON, b'{"input": {"a": 1, "b b": 1, "c": 2, "d": 3}}', 422),
    "the target as well": (JSON, b'{"input": {"a": 1, "b b": 1, "c": 2, "y": 0}}', 422),
    "a column of words": (JSON, b'{"input": {"a": "x", "b b": 1, "c": 2}}', 422),
    "a column of a list": (JSON, b'{"input": {"a": [1], "b b": 1, "c": 2}}', 422),
    "a column of codes": (JSON, b'{"input": {"\\u001b[2J": 1}}', 422),
    "an empty object": (JSON, b'{"input": {}}', 422),
    "a list alone": (JSON, b"[1, 2, 3]", 422),
    "no key": (JSON, b"{}", 422),
    "both keys": (JSON, b'{"input": [1, 2, 3], "inputs": [[1, 2, 3]]}', 422),
    "texts": (JSON, b'{"texts": ["a"]}', 422),
    "pictures": (JSON, b'{"image": "aGVsbG8="}', 422),
    "a key of nobody's": (JSON, b'{"input": [1, 2, 3], "records": 1}', 422),
    "a key of a surrogate": (JSON, b'{"\\ud800": 1}', 422),
    "no classes": (JSON, b'{"input": [1, 2, 3], "top": 0}', 422),
    "too many": (JSON, json.dumps({"inputs": [[1, 2, 3]] * 5}).encode(), 413),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body(either, name, caplog):
    media, body, statuses = HOSTILE[name]
    response = either[0].post("/predict", content=body, headers={"Content-Type": media})
    check_refusal(response, statuses, caplog)


def test_there_are_fifty_kinds():
    assert len(HOSTILE) >= 50


def test_a_row_that_no_embedding_has_is_refused_and_its_batch_is_answered(whole):
    client, predictor = whole
    good, bad = (np.array(one) for one in ([1, 2], [3, 99]))
    found = predictor.answers([good, bad, good], [5, 5, 5])
    assert found[0] == found[2] and "values" in found[0] and found[1] == {
        "error": "The network cannot take this input."
    }  # fmt: skip
    assert client.post("/predict", json={"input": [3, 99]}).status_code == 422
    assert client.post("/predict", json={"input": [3, -1]}).status_code == 422
    assert client.post("/predict", json={"input": [3.0, True]}).status_code == 200


@pytest.mark.parametrize("value", [0.5, 2**63, -(2**63) - 1, 1e30, "1", None])
def test_whole_numbers_are_whole(value):
    with pytest.raises(Refused):
        Numbers("int64", (2,), (), ()).prepare([1, value], Limits())


def test_what_is_wrong_is_named():
    with pytest.raises(Refused, match="no names"):
        Numbers("float32", (2,), (), ()).prepare({"a": 1}, Limits())
    with pytest.raises(Refused) as refused:
        Numbers("float32", (2, 2), (), ()).prepare([[1, 2], [3, "x"]], Limits())
    assert refused.value.message == "[1][1]: a text where a number is expected."
    with pytest.raises(Refused) as refused:
        Numbers("float32", (2,), ("a", "b"), ()).prepare([1, None], Limits())
    assert refused.value.message == "b: null where a number is expected."


@pytest.mark.parametrize(
    ("shape", "value", "several"),
    [
        ((2,), [1, 2], False),
        ((2,), [[1, 2]], True),
        ((2,), [{"a": 1}], True),
        ((2,), {"a": 1}, False),
        ((2, 1), [[1], [2]], False),
        ((2, 1), [[[1], [2]]], True),
        ((2,), [], True),
    ],
)
def test_one_and_several_are_told_by_their_depth(shape, value, several):
    assert Numbers("float32", shape, (), ()).several(value) is several

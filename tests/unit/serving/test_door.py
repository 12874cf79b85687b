from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
import zlib

import numpy as np
import pytest
from sent import encoded
from served_app import check_refusal

from evoray.serving.metrics import Counts
from evoray.serving.plan import Limits

TOKEN = {"Authorization": "Bearer a-token-of-tests"}
PNG = TOKEN | {"Content-Type": "image/png"}


def as_json(*contents):
    return json.dumps({"images": [b64(one) for one in contents]}).encode()


def b64(content):
    return base64.b64encode(content).decode()


def test_a_picture_is_answered_as_the_predictor_answers(client, predictor, test_pictures):
    response = client.post("/predict?top=3", content=encoded(test_pictures[0]), headers=PNG)
    assert response.status_code == 200
    wanted = predictor.answers([test_pictures[0]], [3])
    assert response.json() == {"member": "ensemble", "answers": wanted}


def test_pictures_in_json_are_answered_in_their_order(client, predictor, test_pictures):
    some = list(test_pictures[:3])
    body = {"images": [b64(encoded(one)) for one in some], "top": 10}
    response = client.post("/predict", json=body, headers=TOKEN)
    for found, wanted in zip(response.json()["answers"], predictor.answers(some, [10] * 3), strict=True):
        assert [one["name"] for one in found["classes"]] == [one["name"] for one in wanted["classes"]]
        assert [one["probability"] for one in found["classes"]] == pytest.approx(
            [one["probability"] for one in wanted["classes"]], abs=1e-6
        )


def test_health_and_page_need_no_token_and_tell_nothing_of_the_machine(client, served_run):
    health = client.get("/health")
    assert health.json()["status"] == "ready" and health.json()["token"] is True
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html") and "frame-ancestors 'none'" in str(page.headers)
    assert client.head("/health").status_code == 200
    assert served_run.directory.everywhere not in health.text + page.text


def test_metrics_count_by_path_and_status(client, test_pictures):
    client.post("/predict", content=encoded(test_pictures[0]), headers=PNG)
    client.get("/a-name-of-somebody's")
    text = client.get("/metrics", headers=TOKEN).text
    assert 'evoray_serve_requests_total{path="/predict",status="200"} 1.0' in text
    assert 'evoray_serve_requests_total{path="other",status="404"} 1.0' in text
    assert "somebody" not in text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic a-token-of-tests"},
        {"Authorization": "a-token-of-tests"},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/metrics"])
def test_who_has_no_token_is_refused(client, headers, path):
    response = client.request("GET" if path == "/metrics" else "POST", path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8000", 200),
        ("LocalHost:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("evil.example:8000", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_without_a_token_who_asks_the_loopback_by_its_name_may_ask(client, test_pictures, host, status):
    """A site whose name was pointed at the loopback sends its own name."""
    open_to_all = client.make(token=None)
    headers = {"Content-Type": "image/png", "Host": host}
    response = open_to_all.post("/predict", content=encoded(test_pictures[0]), headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/predict", 405),
        ("PUT", "/predict", 405),
        ("OPTIONS", "/predict", 405),
        ("POST", "/", 405),
        ("DELETE", "/health", 405),
        ("POST", "/metrics", 405),
        ("GET", "/predict/", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/%2e%2e/config.json", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
def test_other_pages_and_methods(client, method, path, status):
    response = client.request(method, path, headers=TOKEN)
    assert response.status_code == status
    assert (status == 405) == ("allow" in response.headers)


def png(width, height, content=b"", kind=0, extra=b""):
    """A PNG of whatever size it claims."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


KINDS = ("JPEG", "GIF", "WEBP", "TIFF", "BMP")


def hostile():
    """By name, a media type, a body, and the statuses that may answer it."""
    good = encoded(np.zeros((28, 28), dtype=np.uint8))
    colour = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    jpeg, gif, webp, tiff, bmp = (encoded(colour.transpose(2, 0, 1), one) for one in KINDS)
    image, document = "image/png", "application/json"
    bomb = zlib.compress(b"\0" * 30_000_000)
    return {
        "nothing": (image, b"", 400),
        "zeros": (image, bytes(1000), 415),
        "noise": (image, np.random.default_rng(1).bytes(5000), 415),
        "text": (image, b"hello, I am a picture", 415),
        "html": (image, b"<!doctype html><script>alert(1)</script>", 415),
        "svg": ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        "xml entities": ("image/svg+xml", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 415),
        "eps": ("image/x-eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n", 415),
        "eps with a preview": (image, b"\xc5\xd0\xd3\xc6" + bytes(60), 415),
        "pdf": (image, b"%PDF-1.7\n", 415),
        "zip": (image, b"PK\x03\x04" + bytes(60), 415),
        "gzip": (image, b"\x1f\x8b" + bytes(60), 415),
        "pickle": ("application/octet-stream", b"\x80\x04cos\nsystem\n(S'id'\ntR.", 415),
        "numpy": (image, b"\x93NUMPY" + bytes(60), 415),
        "program": (image, b"\x7fELF" + bytes(60), 415),
        "film": (image, b"\0\0\0\x20ftypisom" + bytes(60), 415),
        "psd": (image, b"8BPS" + bytes(60), 415),
        "ico": (image, b"\0\0\1\0" + bytes(60), 415),
        "dicom": (image, bytes(128) + b"DICM" + bytes(60), 415),
        "git lfs": (image, b"version https://git-lfs.github.com/spec/v1\n", 415),
        "png, cut in its head": (image, good[:20], 422),
        "png, cut in its pixels": (image, good[:-20], 422),
        "png, a byte changed": (image, good[:45] + b"\xff" + good[46:], 422),
        "png, signature alone": (image, good[:8], 422),
        "png of no pixels": (image, png(0, 0), 422),
        "png of huge sides": (image, png(2**31 - 1, 2**31 - 1), (413, 422)),
        "png of too many pixels": (image, png(1100, 1000, bytes(1_101_000)), 413),
        "png that claims more than it holds": (image, png(900, 900, b"\0"), 422),
        "png whose text unpacks": (image, png(28, 28, bytes(29 * 28), extra=_text(bomb)), (200, 422)),
        "png of an unknown kind": (image, png(28, 28, bytes(29 * 28), kind=5), 422),
        "jpeg, cut": ("image/jpeg", jpeg[: len(jpeg) // 2], 422),
        "jpeg, head alone": ("image/jpeg", jpeg[:4], 422),
        "jpeg under another's name": ("image/gif", jpeg, 200),
        "jpeg of markers": ("image/jpeg", b"\xff\xd8" + b"\xff\xe1\0\x08Exif\0\0" * 40_000, 422),
        "gif, cut": ("image/gif", gif[:30], 422),
        "webp, cut": ("image/webp", webp[:30], 422),
        "tiff, cut": ("image/tiff", tiff[:8], 422),
        "tiff whose directory is itself": ("image/tiff", b"II*\0\x08\0\0\0" + b"\xff\xff" * 40, 422),
        "bmp, cut": ("image/bmp", bmp[:20], 422),
        "bmp of negative sides": ("image/bmp", bmp[:18] + struct.pack("<ii", -5, -5) + bmp[26:], (200, 422)),
        "ppm of a huge size": ("image/x-portable-pixmap", b"P6 999999999 999999999 255\n", (413, 422)),
        "ppm without numbers": ("image/x-portable-pixmap", b"P6 a b c\n", 422),
        "json as a picture": (image, b'{"images": []}', 415),
        "a picture as json": (document, good, 400),
        "json, cut": (document, b'{"images": ["', 400),
        "json of depth": (document, b"[" * 100_000, 400),
        "json of braces": (document, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400),
        "json of a huge number": (document, b'{"top": ' + b"9" * 100_000 + b"}", 400),
        "json in utf-16": (document, '{"images": []}'.encode("utf-16"), 400),
        "json of lone surrogates": (document, b'{"images": ["\\ud800"], "top": 1}', 422),
        "json with a key of a surrogate": (document, b'{"\\ud800": 1}', 422),
        "json of terminal codes": (document, json.dumps({"\x1b[2J": 1}).encode(), 422),
        "json whose second picture is none": (document, as_json(good, b"x" * 50), 415),
        "json of a path": (document, json.dumps({"images": ["/etc/passwd"]}).encode(), (415, 422)),
        "json of an address": (document, json.dumps({"images": ["http://127.0.0.1/a.png"]}).encode(), 422),
        "json of too many": (document, json.dumps({"images": [b64(good)] * 5}).encode(), 413),
        "a form": ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", 415),
        "an address form": ("application/x-www-form-urlencoded", b"a=b", 415),
        "too long": (image, bytes(2**20 + 1), 413),
    }  # fmt: skip


def _text(packed):
    data = b"Comment\0\0" + packed
    return struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))


HOSTILE = hostile()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body(client, name, served_run, caplog):
    media, body, statuses = HOSTILE[name]
    response = client.post("/predict", content=body, headers=TOKEN | {"Content-Type": media})
    check_refusal(response, statuses, caplog)


def test_there_are_fifty_kinds():
    assert len(HOSTILE) >= 50


def test_a_body_in_chunks_is_stopped_at_the_limit(client):
    sent = []

    def parts():
        for _ in range(100):
            sent.append(1)
            yield bytes(100_000)

    response = client.post("/predict", content=parts(), headers=PNG)
    assert response.status_code == 413


@pytest.mark.parametrize(("header", "status"), [("gzip", 415), ("identity", 200)])
def test_encodings(client, header, status, test_pictures):
    headers = PNG | {"Content-Encoding": header}
    assert client.post("/predict", content=encoded(test_pictures[0]), headers=headers).status_code == status


async def sent_to(door, received, headers=()):
    """(status, document) of a POST to /predict whose body comes as ``received`` says."""
    from starlette.requests import Request

    head = [(b"content-type", b"image/png"), (b"authorization", b"Bearer a-token-of-tests"), *headers]
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": head}
    response = await door(Request(scope, received))
    return response.status_code, json.loads(response.body)


def door_of(client, **how):
    return client.make(**how).app.door


def test_a_body_that_does_not_come(client):
    async def never():
        await asyncio.sleep(60)

    door = door_of(client, limits=Limits(seconds=0.05))
    status, document = asyncio.run(sent_to(door, never, [(b"content-length", b"5")]))
    assert (status, document["error"]) == (408, "The body did not arrive within 0.05 s.")


def test_a_client_that_goes_away(client):
    async def gone():
        return {"type": "http.disconnect"}

    assert asyncio.run(sent_to(door_of(client), gone, [(b"content-length", b"5")]))[0] == 400


def test_too_much_at_a_time_is_refused_and_what_is_inside_is_answered(client, test_pictures):
    content = encoded(test_pictures[0])

    async def body():
        return {"type": "http.request", "body": content, "more_body": False}

    async def main():
        go = asyncio.Event()

        async def slow(picture, top):
            await go.wait()
            return {"classes": []}

        door = door_of(client, limits=Limits(waiting=2), predict=slow)
        length = [(b"content-length", str(len(content)).encode())]
        inside = [asyncio.create_task(sent_to(door, body, length)) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await sent_to(door, body, length)
        go.set()
        return refused[0], [(await one)[0] for one in inside], (await sent_to(door, body, length))[0]

    assert asyncio.run(main()) == (429, [200, 200], 200)


def test_an_answer_that_does_not_come(client, test_pictures):
    async def never(picture, top):
        await asyncio.sleep(60)

    slow = client.make(limits=Limits(seconds=0.2), predict=never)
    response = slow.post("/predict", content=encoded(test_pictures[0]), headers=PNG)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_what_fails_here_is_logged_and_not_told(client, test_pictures, caplog):
    async def broken(picture, top):
        raise RuntimeError("secret of /this/machine")

    response = client.make(predict=broken).post("/predict", content=encoded(test_pictures[0]), headers=PNG)
    assert response.status_code == 500 and "secret" not in response.text
    assert "secret" in caplog.text


def test_counts_are_told_to_the_others(client):
    seen = []

    async def others(counts):
        seen.append(counts)
        return [counts, Counts(records=41)]

    made = client.make()
    made.app.door.others = others
    assert "evoray_serve_records_total 41.0" in made.get("/metrics", headers=TOKEN).text
    assert len(seen) == 1


def test_the_page_names_every_field_and_asks_nobody_else(client):
    page = client.get("/").text
    for field in re.findall(r'<input id="(\w+)"', page):
        assert f'<label for="{field}">' in page
    assert not re.search(r"https?://|src=\"|@import|innerHTML", page)
    assert 'lang="en"' in page and "prefers-color-scheme: dark" in page

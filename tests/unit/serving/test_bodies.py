from __future__ import annotations

import base64
import json

import pytest

from evoray.data import ImageTransform
from evoray.serving.bodies import TOP, Asked, asked_of, check_head
from evoray.serving.pictures import Pictures
from evoray.serving.plan import Limits, Refused

LIMITS = Limits(body=1000, records=3)
PICTURES = Pictures(ImageTransform(resize=8, crop=8, channels=3), (3, 8, 8), ())
JSON = "application/json"
B64 = base64.b64encode(b"abc").decode()


@pytest.mark.parametrize("media", ["image/png", "IMAGE/JPEG", "image/svg+xml", "application/octet-stream", JSON])
def test_what_may_be_a_picture_is_read(media):
    assert check_head({"content-type": f"{media}; charset=x", "content-length": "5"}, LIMITS, PICTURES) == media.lower()


def test_a_body_in_chunks_has_no_length():
    assert check_head({"content-type": JSON, "transfer-encoding": "chunked"}, LIMITS, PICTURES) == JSON


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({}, 415, "is missing"),
        ({"content-type": "text/html"}, 415, "text/html"),
        ({"content-type": "multipart/form-data; boundary=x"}, 415, "send the picture as the body"),
        ({"content-type": "\x1b[31m"}, 415, "\\x1b"),
        ({"content-type": "image/png", "content-encoding": "gzip", "content-length": "5"}, 415, "as it is"),
        ({"content-type": "image/png"}, 411, "Content-Length"),
        ({"content-type": "image/png", "content-length": "1001"}, 413, "1,000 bytes"),
        ({"content-type": "image/png", "content-length": "9" * 400}, 413, "1,000 bytes"),
        ({"content-type": "image/png", "content-length": "-5"}, 400, "no number"),
        ({"content-type": "image/png", "content-length": "٣"}, 400, "no number"),
    ],
)
def test_a_head_is_refused(headers, status, said):
    with pytest.raises(Refused) as refused:
        check_head(headers, LIMITS, PICTURES)
    assert (refused.value.status, said in refused.value.message) == (status, True)


@pytest.mark.parametrize(
    ("media", "body", "query", "asked"),
    [
        ("image/png", b"abc", [], Asked((b"abc",), TOP, alone=True)),
        ("image/png", b"abc", [("top", "2")], Asked((b"abc",), 2, alone=True)),
        (JSON, json.dumps({"image": B64}).encode(), [], Asked((b"abc",), TOP, alone=True)),
        (JSON, json.dumps({"images": [B64, B64]}).encode(), [], Asked((b"abc", b"abc"), TOP)),
        (JSON, json.dumps({"images": [B64], "top": 7}).encode(), [("top", "2")], Asked((b"abc",), 7)),
        (JSON, b"\xef\xbb\xbf" + json.dumps({"images": [B64]}).encode(), [], Asked((b"abc",), TOP)),
    ],
)
def test_what_is_asked(media, body, query, asked):
    assert asked_of(media, body, query, LIMITS, PICTURES) == asked


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 500, 400, "JSON"),
        (b'{"images": NaN}', 400, "NaN"),
        (b'{"images": 1e999}', 400, "number"),
        (b'{"images": ' + b"9" * 500 + b"}", 400, "digits"),
        (b"3", 422, "a number"),
        (b"[]", 422, "a list"),
        (b"null", 422, "null"),
        (b"{}", 422, "images"),
        ({"images": []}, 422, "one or more"),
        ({"input": [1]}, 422, "pictures alone"),
        ({"images": {"a": B64}}, 422, "an object where base64"),
        ({"images": [B64], "image": B64}, 422, "Give images, or image"),
        ({"image": None}, 422, "image: null"),
        ({"images": [3]}, 422, "images[0]: a number"),
        ({"images": [B64, None]}, 422, "images[1]: null"),
        ({"images": ["*"]}, 422, "no base64"),
        ({"images": [""]}, 422, "empty"),
        ({"images": [f"data:image/png;base64,{B64}"]}, 422, "no base64"),
        ({"images": [B64] * 4}, 413, "3 is the most"),
        ({"images": [B64], "pictures": 1}, 422, "pictures"),
        ({"images": [B64], "topp": 1}, 422, 'Did you mean "top"?'),
        ({"imges": [B64]}, 422, 'Did you mean "images"?'),
        ({"texts": ["a"]}, 422, "pictures alone"),
        ({"images": [B64], "top": 0}, 422, "top"),
        (
            {"images": [B64], "top": True},
            422,
            "top: true or false where a number of classes is expected. Give 1 to 1000.",
        ),
        ({"images": [B64], "top": 1.5}, 422, "top: 1.5 where"),
        ({"images": [B64], "top": [1]}, 422, "top"),
    ],
)
def test_a_body_is_refused(document, status, said):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(Refused) as refused:
        asked_of(JSON, body, [], LIMITS, PICTURES)
    assert (refused.value.status, said in refused.value.message) == (status, True), refused.value.message


@pytest.mark.parametrize("top", ["", "0", "-1", "1001", "x", "1e3", "٣", "9" * 400])
def test_a_query_is_refused(top):
    with pytest.raises(Refused, match="top") as refused:
        asked_of("image/png", b"abc", [("top", top)], LIMITS, PICTURES)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([("topp", "1")], 'topp: no such key of the address. Did you mean "top"?'),
        ([("top", "1"), ("x\x1b", "")], "x\\x1b: no such key of the address. There is top."),
        ([("", "1")], "A query: no such key of the address. There is top."),
        ([("top", "1"), ("top", "2")], "top: given twice in the address. Give it once."),
    ],
)
def test_what_an_address_asks_for_besides_is_refused(query, said):
    with pytest.raises(Refused) as refused:
        asked_of("image/png", b"abc", query, LIMITS, PICTURES)
    assert (refused.value.status, refused.value.message) == (400, said)


@pytest.mark.parametrize(("query", "document"), [([("top", "1")], {}), ([], {"top": 1}), ([("topp", "1")], {})])
def test_numbers_have_no_likeliest_classes(query, document):
    body = json.dumps({"images": [B64]} | document).encode()
    with pytest.raises(Refused, match=r"^top: .*has no classes|^topp: no such key of the address. It takes none.$"):
        asked_of(JSON, body, query, LIMITS, PICTURES, ranked=False)

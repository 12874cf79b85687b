from __future__ import annotations

import io
import json
import logging
import threading

import pytest

from evoray.runtime import logs


@pytest.fixture
def lines(monkeypatch):
    """The root logger with JSON lines, into what is returned: a list of parsed lines when called."""
    monkeypatch.setenv("EVORAY_LOG", "json")
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    logs.set_up()
    sink = io.StringIO()
    root.handlers[0].setStream(sink)
    yield lambda: [json.loads(line) for line in sink.getvalue().splitlines()]
    root.handlers = before
    root.setLevel(level)


def test_a_line_says_what_it_is_about(lines):
    with logs.about(run="r1", shard=3):
        with logs.about(child="g0000/c0001"):
            logging.getLogger("user.fitness").warning("odd value %s", 7)
        logging.getLogger("evoray").info("shard done")
    logging.getLogger("evoray").info("no more")
    first, second, third = lines()
    assert (first["message"], first["run"], first["child"], first["shard"]) == ("odd value 7", "r1", "g0000/c0001", 3)
    assert first["levelname"] == "WARNING"
    assert "child" not in second and second["shard"] == 3
    assert not third.keys() & set(logs.FIELDS)


def test_what_is_given_with_the_record_counts(lines):
    with logs.about(shard=3):
        logging.getLogger("evoray").info("x", extra={"shard": 4, "seconds": 0.5})
    assert (lines()[0]["shard"], lines()[0]["seconds"]) == (4, 0.5)


def test_threads_do_not_share_what_they_are_about(lines):
    def other():
        with logs.about(shard=1):
            logging.getLogger("evoray").info("other")

    with logs.about(shard=0):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        logging.getLogger("evoray").info("own")
    assert [(line["message"], line["shard"]) for line in lines()] == [("other", 1), ("own", 0)]


def test_the_shape_is_rays(lines):
    """Ray's own encoding of the same record has the same fields, and adds what only Ray knows."""
    from ray._common.formatters import JSONFormatter

    record = logging.LogRecord("evoray", logging.INFO, "file.py", 7, "hello %s", ("you",), None)
    record.run, record.shard = "r1", 3
    theirs = json.loads(JSONFormatter().format(record))
    ours = json.loads(logs.JsonFormatter().format(record))
    assert theirs.keys() <= ours.keys()
    assert ours.keys() - theirs.keys() <= {"timestamp_ns"}
    assert all(ours[key] == theirs[key] for key in theirs)


def test_an_error_keeps_its_trace(lines):
    try:
        raise ZeroDivisionError("x")
    except ZeroDivisionError:
        logging.getLogger("evoray").exception("failed")
    assert "ZeroDivisionError" in lines()[0]["exc_text"]


def test_nothing_is_set_up_unasked(monkeypatch):
    monkeypatch.delenv("EVORAY_LOG", raising=False)
    before = logging.getLogger().handlers[:]
    logs.set_up()
    assert logging.getLogger().handlers == before


def test_a_block_ends_with_its_fields_though_it_raises(lines):
    with pytest.raises(KeyError), logs.about(run="r1"), logs.about(child="c"):
        raise KeyError
    logging.getLogger("evoray").info("after")
    assert not lines()[0].keys() & set(logs.FIELDS)


def test_an_inner_block_covers_a_field_for_its_time(lines):
    with logs.about(shard=1):
        with logs.about(shard=2):
            logging.getLogger("evoray").info("inner")
        logging.getLogger("evoray").info("outer")
    assert [line["shard"] for line in lines()] == [2, 1]


def test_a_value_that_json_does_not_know_is_its_text(lines, tmp_path):
    with logs.about(run=tmp_path):
        logging.getLogger("evoray").info("x")
    assert lines()[0]["run"] == str(tmp_path)


def test_set_up_twice_gives_one_handler_and_one_filter(lines):
    logs.set_up()
    logs.set_up(True)
    handlers = logging.getLogger().handlers  # pytest's own are among them
    assert sum(isinstance(one.formatter, logs.JsonFormatter) for one in handlers) == 1
    for handler in handlers:
        assert sum(isinstance(one, logs.AboutFilter) for one in handler.filters) == 1


def test_handlers_that_are_there_keep_their_format_and_get_the_fields(monkeypatch):
    root = logging.getLogger()
    own = logging.StreamHandler(io.StringIO())
    own.setFormatter(logging.Formatter("%(run)s says %(message)s"))
    monkeypatch.setattr(root, "handlers", [own])
    logs.set_up(True)
    with logs.about(run="r1"):
        logging.getLogger("evoray").warning("hello")
    assert own.stream.getvalue() == "r1 says hello\n"
    assert root.handlers == [own]


@pytest.mark.parametrize(("value", "expected"), [("json", True), ("JSON", True), ("", False), ("text", False)])
def test_only_the_word_json_asks_for_lines(value, expected, monkeypatch):
    monkeypatch.setenv("EVORAY_LOG", value)
    assert logs.wanted() is expected


def test_an_unwanted_set_up_counts_above_the_environment(monkeypatch):
    monkeypatch.setenv("EVORAY_LOG", "json")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logs.set_up(False)
    assert logging.getLogger().handlers == []

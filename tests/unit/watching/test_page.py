"""The page of a run that goes on: it stands alone, says what there is, and reloads only while there is more to come."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import pytest
from told import CONFIG, view

from evoray.report.look.palette import THEMES
from evoray.watching.page import SCRIPT, fragment, growing_page
from evoray.watching.view import View

VOID = {"meta", "br", "path", "circle", "polyline"}


class Checked(HTMLParser):
    """Every element is closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_what_there_is():
    text = growing_page(view())
    page = Checked(text)
    assert page.open == []
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in text
    assert '<p class="verdict">running: generation 2 of 3</p>' in text
    for said in ("NLL 0.3000 (g0000/c0001), the parent 0.4500", "4 of 12", "2 ready, 1 starting", "sigma 0.1"):
        assert f"<strong>{said}</strong>" in text
    assert "checking the parent and the data" in text and "<td>search.generations</td><td>3</td>" in text
    assert re.search(r"<td>1</td><td>g0000/c0001</td><td class=\"n\">0.3000</td><td class=\"n\">−0.1500</td>", text)


def test_it_stands_alone_with_one_script_that_its_policy_knows():
    text = growing_page(view())
    for tag, attributes in Checked(text).seen:
        assert tag not in ("link", "img", "iframe"), tag
        assert not any(name in attributes for name in ("src", "href", "onload"))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(text) and "10000" in script


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_it_reloads_no_more(state):
    text = growing_page(view(state=state, live={"error": "RunError: no room"} if state == "failed" else {}))
    assert "refresh" not in text and "loads itself again" not in text and "script" not in text
    assert f'<p class="verdict">{state}: ' in text


def test_hostile_names_stay_text():
    bad = '<script>alert(1)</script>"&'
    live = {"notes": [bad], "top": [{"id": bad, "value": 0.1}], "workers": {"ready": 1}, "stage": None}
    config = CONFIG | {"data": {"path": bad}, "parent": {"name": bad}}
    for text in (growing_page(view(live=live, config=config)), fragment(view(live=live, config=config))):
        assert "<script>alert" not in text and "&lt;script&gt;" in text


def test_a_run_of_which_little_is_known():
    text = growing_page(View("runs/x", "stopped", config={"parent": {}}))
    assert Checked(text).open == [] and "<svg" not in text and '<p class="verdict">stopped</p>' in text


def test_a_fragment_has_styles_that_are_its_own():
    text = fragment(view())
    assert Checked(text).open == [] and "<html" not in text and "<svg" in text
    styles = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    assert all(
        line.strip().startswith((".evoray-live", f"{THEMES} .evoray-live")) for line in styles.strip().splitlines()
    )


def test_in_a_browser_wide_and_narrow_light_and_dark(tmp_path, browser):
    blocks = [{"block": block, "children": 10 * block, "best": 0.4} for block in range(4)]
    file = tmp_path / "report.html"
    file.write_text(growing_page(view(live={"blocks": blocks, "notes": ["a note " * 30, "x" * 300]})))
    page = browser.open(file.as_uri())
    assert page.faults_of_all() == {}
    assert page.run("document.querySelectorAll('svg text').length") == 7
    assert page.tabbed() == ["Fittest so far", "Blocks of the weights", "Configuration"]


def test_it_loads_itself_again_but_not_under_the_keyboard(tmp_path, browser):
    """With ticks of the test's own, and a mark where it would load."""
    file = tmp_path / "report.html"
    file.write_text(growing_page(view()))
    page = browser.open(file.as_uri())
    assert page.console == [], "the page's policy lets its script run"
    page.run("globalThis.setInterval = tick => { globalThis.tick = tick }")
    page.run(SCRIPT.replace("location.reload()", "globalThis.loaded = true"))

    def loads():
        return page.run("globalThis.loaded = false; tick(); loaded")

    assert loads()
    assert page.tabbed(1) == ["Fittest so far"] and not loads()
    page.run("document.activeElement.blur()")
    assert loads()
    page.run("getSelection().selectAllChildren(document.querySelector('h1'))")
    assert not loads()


def test_a_part_of_a_notebook_follows_the_notebooks_theme(tmp_path, browser):
    file = tmp_path / "notebook.html"
    head = "<!DOCTYPE html><html lang=en><title>A notebook</title>"
    cell = f"<main data-jp-theme-light='false'><h1>A notebook</h1>{fragment(view())}</main>"
    file.write_text(f"{head}<body style='background: #111111; color: #eeeeee'>{cell}")
    page = browser.open(file.as_uri(), dark=False)
    assert page.faults == [] and page.console == []

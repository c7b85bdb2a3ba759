"""One catalogue, complete in every language; a page knows its language before it draws."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui import languages
from ui.early import Early

UI = Path(languages.__file__).parent.parent
OTHERS = [code for code in languages.LANGUAGES if code != "en"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_string_is_translated_with_its_places(code: str) -> None:
    for english, told in languages.catalogue().items():
        assert set(told) == set(OTHERS), english
        assert told[code].strip(), english
        assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", told[code])), english


def scripts() -> dict[str, str]:
    return {name: (UI / name).read_text(encoding="utf-8") for name in ("desk.js", "timeline.js")}


def test_the_words_of_our_scripts_and_pages_are_all_in_the_catalogue() -> None:
    known = languages.catalogue()
    said: set[str] = set()
    for code in scripts().values():
        said |= set(re.findall(r"(?:textContent|placeholder): \"([^\"]+)\"", code))
        said |= set(re.findall(r"(?:labelled|ask)\(\"([^\"]+)\"", code))
        said |= set(re.findall(r"\"aria-label\", \"([^\"]+)\"", code))
    for name in ("layout.py", "library_page.py", "settings_page.py", "scope.py", "turn_tools.py", "rooms.py"):
        code = (UI / name).read_text(encoding="utf-8")
        said |= set(re.findall(r"(?:label|placeholder)=\"([^\"]+)\"", code))
        said |= set(re.findall(r"gr\.Button\(\s*\"([^\"]+)\"", code))
        said |= set(re.findall(r"<h2>([^<{]+)</h2>", code))
    assert len(said) > 50
    assert said - set(known) == set()


def test_words_are_put_in_and_unknown_ones_stay_english() -> None:
    arabic = languages.words_of("ar")
    assert arabic("Sources") == "المصادر"
    assert arabic("Show evidence {0}", 3) == "إظهار الدليل 3"
    assert arabic("Never heard {0}", 1) == "Never heard 1"
    assert languages.words_of("xx").language == "en"


def test_the_script_carries_the_catalogue_and_cannot_end_its_tag() -> None:
    code = languages.script()
    assert "</" not in code.replace("<\\/", "")
    data = json.loads(code.split("const CATALOGUE = ", 1)[1].split(";\n", 1)[0])
    assert data == languages.catalogue()


def test_the_script_stands_first_in_html_and_other_answers_are_left_alone() -> None:
    html = "<!doctype html><html><head><title>x</title></head></html>"
    app = Starlette(
        routes=[Route("/", lambda _: HTMLResponse(html)), Route("/data", lambda _: JSONResponse({"a": "<head>"}))],
        middleware=[Middleware(Early, script="let first;")],
    )
    with TestClient(app) as client:
        page = client.get("/")
        assert "<head><script>let first;</script><title>" in page.text
        assert int(page.headers["content-length"]) == len(page.content)
        assert client.get("/data").json() == {"a": "<head>"}


def test_what_is_seen_first_stands_before_the_page_and_all_its_words_are_translated() -> None:
    shell = (UI / "shell.html").read_text(encoding="utf-8")
    html = "<head></head><body><gradio-app></gradio-app></body>"
    app = Starlette(
        routes=[Route("/", lambda _: HTMLResponse(html))], middleware=[Middleware(Early, script="", shell=shell)]
    )
    with TestClient(app) as client:
        page = client.get("/")
    assert page.text.index('id="shell"') < page.text.index("<gradio-app")
    assert int(page.headers["content-length"]) == len(page.content)
    said = re.findall(r"<p>([^<]+)</p>", shell.split("<noscript>")[0])
    assert len(said) == 2
    assert set(said) <= set(languages.catalogue())

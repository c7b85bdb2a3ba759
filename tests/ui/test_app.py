from __future__ import annotations

import gc
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gradio as gr
import httpx
import pytest

from core.settings import Settings
from tests.ui.fake_assistant import HOSTILE, FakeAssistant, png
from ui.app import build_app
from ui.handlers import BUSY, Changes, Handlers
from ui.jobs import Jobs
from ui.layout import Parts, lay_out
from ui.session import owner_of, token_from
from ui.viewer.keys import Keys, session_in

# Gradio's Blocks leave an event loop and its sockets behind when they are collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"
)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a page leaves behind is collected in its own test."""
    yield
    gc.collect()


SESSION = "s" * 40
REQUEST: gr.Request = SimpleNamespace(  # type: ignore[assignment]
    username=None, cookies={"consilium-session": SESSION}, session_hash="page1"
)
TOKEN = token_from(None)
KEYS = Keys(b"k" * 32)


class Page:
    """The handlers as one browser uses them: what changes is kept by the part's name."""

    def __init__(self, assistant: FakeAssistant, parts: Parts, on: Handlers, token: str = TOKEN) -> None:
        self.parts, self.on, self.token, self.assistant = parts, on, token, assistant
        self.names = {id(value): name for name, value in vars(parts).items()}
        self.now: dict[str, object] = {"current": ""}

    @property
    def current(self) -> str:
        return str(self.now["current"])

    def take(self, changes: Changes) -> dict[str, object]:
        named = {self.names[id(part)]: value for part, value in changes.items()}
        self.now.update(named)
        return named

    def ask(self, question: str) -> list[dict[str, object]]:
        return [self.take(step) for step in self.on.ask(question, self.token, self.current, (), REQUEST)]

    def click(self, turn: str, evidence: str) -> dict[str, object]:
        raw = f'{{"kind":"evidence","turn":"{turn}","evidence":"{evidence}","count":1}}'
        return self.take(self.on.act(raw, self.token, self.current, REQUEST))

    def sample(self) -> dict[str, object]:
        return self.take(self.on.sample(self.token, self.current, REQUEST))


def made(assistant: FakeAssistant) -> Page:
    with gr.Blocks():
        parts = lay_out()
    return Page(assistant, parts, Handlers(assistant, parts, KEYS, Jobs()))


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return made(FakeAssistant(tmp_path))


def test_a_question_streams_its_steps_and_ends_with_the_stored_turn(tmp_path: Path) -> None:
    page = made(FakeAssistant(tmp_path, pause_s=0.15))  # slower than the page gathers changes
    page.sample()
    steps = page.ask("What is there?")
    assert any("grading L2… 40 %" in str(step.get("live")) for step in steps)
    assert "What is there?" in str(page.now["history"])
    assert page.now["live"] == ""
    assert "could not be searched" in str(page.now["note"])
    assert "/file/image1" in str(page.now["history"])


@pytest.mark.parametrize("question", ["", "  \n "])
def test_an_empty_question_is_ignored(page: Page, question: str) -> None:
    assert page.ask(question) == [{"note": gr.update()}]
    assert page.assistant.asked == []


def test_a_question_while_one_runs_is_refused_with_a_note(page: Page) -> None:
    page.sample()
    page.assistant._pause = 0.05
    first = page.on.ask("first", TOKEN, page.current, (), REQUEST)
    next(first)
    assert BUSY in str(page.ask("second")[0]["note"])
    list(first)
    assert page.assistant.asked == ["first"]
    assert "third" in str(page.ask("third")[-1]["history"])


def test_a_fault_of_the_assistant_is_told_and_frees_the_conversation(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.sample()
    monkeypatch.setattr(page.assistant, "ask", lambda *_: 1 / 0)
    assert "could not be answered" in str(page.ask("q")[-1]["note"])
    monkeypatch.undo()
    assert "again" in str(page.ask("again")[-1]["history"])


def test_stop_ends_the_turn_and_frees_the_conversation(page: Page) -> None:
    page.sample()
    page.assistant._pause = 0.2
    running = page.on.ask("first", TOKEN, page.current, (), REQUEST)
    next(running)
    page.take(page.on.stop(TOKEN, page.current, REQUEST))
    assert [page.take(step) for step in running]
    assert "Stopped." in str(page.now["history"])
    assert "again" in str(page.ask("again")[-1]["history"])


def test_nonsense_from_the_script_is_taken_calmly(page: Page) -> None:
    assert list(page.on.act("{nonsense", TOKEN, page.current, REQUEST).values()) == [gr.update()]


def test_the_page_is_told_what_to_fetch_evidence_with_and_how_far_it_has_come(page: Page) -> None:
    page.sample()
    page.ask("q")
    shown = str(page.now["shown"])
    assert f'data-shown="{page.current}"' in shown
    assert 'data-state="1.4.1"' in shown
    key = shown.split('data-key="')[1].split('"')[0]
    assert KEYS.open(key, session_in(REQUEST.cookies)).conversation == page.current


def test_a_browser_without_cookies_gets_no_key(page: Page) -> None:
    page.sample()
    bare: gr.Request = SimpleNamespace(username=None, cookies={}, session_hash="p")  # type: ignore[assignment]
    assert 'data-key=""' in str(page.take(page.on.load(TOKEN, bare))["shown"])


def test_a_page_that_closes_does_not_end_the_question_and_coming_back_finds_it(tmp_path: Path) -> None:
    page = made(FakeAssistant(tmp_path, pause_s=0.05))
    page.sample()
    first = page.on.ask("first", TOKEN, page.current, (), REQUEST)
    page.take(next(first))
    cast(Generator[Changes, None, None], first).close()  # what Gradio does when the page is closed
    back = page.take(page.on.load(TOKEN, REQUEST))
    assert "Grading vertebrae" in str(back["live"]) or "Working" in str(back["live"])
    followed = [page.take(step) for step in page.on.follow(TOKEN, page.current, (), REQUEST)]
    assert 'class="sentence' in str(followed[-1]["history"])
    assert page.assistant.asked == ["first"]


def test_a_page_that_shows_another_conversation_is_not_overwritten_by_the_answer(tmp_path: Path) -> None:
    page = made(FakeAssistant(tmp_path, pause_s=0.02))
    page.sample()
    running = page.on.ask("first", TOKEN, page.current, (), REQUEST)
    page.take(next(running))
    page.on.new(TOKEN, REQUEST)
    assert all("history" not in page.take(step) for step in running)


def test_nothing_to_follow_changes_nothing(page: Page) -> None:
    page.sample()
    assert [page.take(step) for step in page.on.follow(TOKEN, page.current, (), REQUEST)] == [{"note": gr.update()}]


def test_a_bad_file_is_told_and_the_others_are_kept(page: Page, tmp_path: Path) -> None:
    good, bad = tmp_path / "a.png", tmp_path / "<b>.txt"
    good.write_bytes(png())
    bad.write_text("x")
    changes = page.take(page.on.attach(TOKEN, "", [str(good), str(bad)], REQUEST))
    assert "&lt;b&gt;.txt: not a file" in str(changes["problems"])
    assert "xray1" in str(changes["attached"])
    assert good.exists(), "only what lies in the upload folder is removed"


def test_uploaded_copies_are_removed(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    copy = tmp_path / "uploads" / "hash" / "a.png"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(png())
    page.take(page.on.attach(TOKEN, "", [str(copy)], REQUEST))
    assert not copy.parent.exists()
    assert "xray1" in str(page.now["attached"])


def test_another_browser_sees_nothing_and_can_open_nothing(page: Page) -> None:
    page.sample()
    page.ask("q")
    other = Page(page.assistant, page.parts, page.on, token_from(None))
    assert "No conversations" in str(other.take(other.on.load(other.token, REQUEST))["conversations"])
    raw = f'{{"kind":"open","conversation":"{page.current}"}}'
    assert "There is no conversation" in str(other.take(other.on.act(raw, other.token, "", REQUEST))["note"])


def test_a_reload_brings_the_newest_conversation_back_and_delete_removes_it(page: Page) -> None:
    page.sample()
    page.ask(HOSTILE)
    assert "turn1" in str(page.take(page.on.load(TOKEN, REQUEST))["history"])
    assert "<script" not in str(page.now["history"])
    page.take(page.on.delete(TOKEN, page.current, REQUEST))
    assert page.current == ""
    assert not page.assistant.conversations(owner_of(TOKEN, None))


def test_tokens_are_kept_when_they_could_be_ours_and_made_otherwise() -> None:
    assert token_from(TOKEN) == TOKEN
    for bad in (None, 7, "", "short", "x" * 1000):
        assert token_from(bad) != bad
        with pytest.raises(ValueError, match="Reload"):
            owner_of(bad, None)
    assert owner_of(TOKEN, "ana") == owner_of(None, "ana") != owner_of(TOKEN, None)


SERVE = """
import sys
from pathlib import Path
from pydantic import SecretStr
from core.settings import Settings
from tests.ui.fake_assistant import FakeAssistant
import uvicorn
from fastapi import FastAPI
from ui.app import mount_page
home, app = Path(sys.argv[2]), FastAPI()
mount_page(app, FakeAssistant(home), Settings(home=home, login=SecretStr("ana:secret")))
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The page in a process of its own: the server's loops and sockets end with it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(port), str(tmp_path)])
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(server, address)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def _wait_until_up(server: subprocess.Popen[bytes], address: str) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=0)) as client:
        for _ in range(900):
            assert server.poll() is None, "the server ended"
            try:
                client.get(address)
            except httpx.ConnectError:
                time.sleep(0.1)
            else:
                return
    pytest.fail("the page did not come up")


def test_the_served_page_wants_the_login_and_loads_nothing_from_elsewhere(served: str) -> None:
    with httpx.Client(base_url=served) as client:
        assert client.get("config").status_code == 401
        assert client.post("login", data={"username": "ana", "password": "wrong"}).status_code == 400
        assert client.post("login", data={"username": "ana", "password": "secret"}).status_code == 200
        page = client.get("").text
        assert "/desk/static/desk.js" in page
        assert client.cookies["consilium-session"]
        assert "fonts.googleapis.com/css" not in page
        assert client.get("gradio_api/info").json().get("named_endpoints", {}) == {}


def test_building_the_page_offers_nothing_over_the_api(tmp_path: Path) -> None:
    app = build_app(FakeAssistant(tmp_path), Settings(home=tmp_path), KEYS, Jobs())
    assert {fn.api_visibility for fn in app.fns.values()} == {"private"}
    assert app.api_open is False

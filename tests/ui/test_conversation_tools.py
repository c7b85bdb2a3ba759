"""The conversation tools over a scripted assistant: what the page's script may ask, and what comes of it."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from core.errors import InputError
from tests.ui.fake_assistant import FakeAssistant
from ui.conversations import Desk, lay_out_desk
from ui.export.tickets import Tickets
from ui.handlers import Handlers
from ui.jobs import Jobs
from ui.layout import lay_out
from ui.scope import scope_of
from ui.session import owner_of, token_from
from ui.viewer.keys import Keys

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"
)
REQUEST: gr.Request = SimpleNamespace(  # type: ignore[assignment]
    username=None, cookies={"consilium-session": "s" * 40}, session_hash="page1"
)
TOKEN = token_from(None)
OWNER = owner_of(TOKEN, None)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()


class Bench:
    """A desk with one answered conversation."""

    def __init__(self, folder: Path) -> None:
        self.assistant = FakeAssistant(folder)
        with gr.Blocks():
            self.parts = lay_out()
            self.mine = lay_out_desk(self.parts.scope)
        page = Handlers(self.assistant, self.parts, Keys(b"k" * 32), Jobs())
        self.tickets = Tickets(folder / "exports")
        self.desk = Desk(self.assistant, self.parts, self.mine, page, self.tickets)
        self.conversation = self.assistant.new_conversation(OWNER)
        self.assistant.load_sample(OWNER, self.conversation)
        list(self.assistant.ask(OWNER, self.conversation, "What is there?"))

    def act(self, raw: str, token: str = TOKEN) -> dict[object, object]:
        return self.desk.act(raw, token, self.conversation, REQUEST)

    def note(self, changes: dict[object, object]) -> str:
        return str(changes.get(self.parts.note, ""))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("form", ["md", "html", "docx", "pdf"])
def test_an_export_is_a_link_to_a_file_that_waits_once(bench: Bench, form: str) -> None:
    link = str(bench.act(f'{{"kind":"export","format":"{form}","count":1}}')[bench.mine.download])
    found = re.search(r'href="export/([^"]+)"', link)
    assert found
    ticket = bench.tickets.take(found[1])
    assert ticket is not None
    assert ticket.path.stat().st_size > 500
    assert ticket.name.endswith(f".{form}")
    assert bench.tickets.take(found[1]) is None


def test_an_edited_question_is_asked_in_a_branch_and_the_first_conversation_stays(bench: Bench) -> None:
    changes = bench.act('{"kind":"edit","turn":"turn1","text":"And L2?"}')
    assert changes[bench.mine.pending] == "And L2?"
    assert changes[bench.parts.current] != bench.conversation
    assert len(bench.assistant.turns(OWNER, bench.conversation)) == 1
    assert bench.act('{"kind":"rename","text":"x"}')[bench.mine.pending] == "", "asked once"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{"kind":"branch","turn":"turn9"}', "not in this conversation"),
        ('{"kind":"edit","turn":"turn1","text":"  "}', "question is empty"),
        ('{"kind":"rename","text":" "}', "1 to 120 characters"),
    ],
)
def test_what_cannot_be_done_is_told(bench: Bench, raw: str, words: str) -> None:
    assert words in bench.note(bench.act(raw))


def test_nonsense_changes_nothing_and_another_browser_gets_nothing(bench: Bench) -> None:
    assert bench.act("{nonsense") == {bench.mine.pending: ""}
    assert bench.act('{"kind":"export","format":"exe"}') == {bench.mine.pending: ""}
    assert "There is no conversation" in bench.note(bench.act('{"kind":"export","format":"md"}', token_from(None)))


def test_limits_of_the_search_are_kept_with_the_conversation(bench: Bench) -> None:
    values = (["mine"], "2001", "", ["guideline"], True, False)
    told = bench.desk.limit(TOKEN, bench.conversation, REQUEST, *values)
    assert "years 2001" in bench.note(told)
    scope = bench.assistant.search_scope(OWNER, bench.conversation)
    assert (scope.corpora, scope.year_from, scope.designs, scope.without_preprints) == (
        ("mine",),
        2001,
        ("guideline",),
        True,
    )
    bad = bench.desk.limit(TOKEN, bench.conversation, REQUEST, [], "20x", "", [], False, False)
    assert "1800 to 2100" in bench.note(bad)
    with pytest.raises(InputError, match="after the last"):
        scope_of([], "2010", "2000", [], False, False)

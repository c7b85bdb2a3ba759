"""What is done with a conversation as a whole: found, renamed, branched, edited, judged, exported."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.conversations import Feedback
from core.errors import ConsiliumError, InputError
from core.types import SearchScope, Turn
from ui import render
from ui.bundle import write_bundle
from ui.export.content import Content, Format, content_of
from ui.export.tickets import Tickets
from ui.handlers import Changes, Handlers
from ui.languages import words_of
from ui.layout import Parts
from ui.scope import ScopeParts, scope_of, shown_scope
from ui.seam import PageAssistant
from ui.session import owner_of

_MEDIA: dict[str, str] = {
    "md": "text/markdown",
    "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "zip": "application/zip",
}


class DeskAction(BaseModel):
    """What the desk's script tells of a click. `turn` is empty for the conversation as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["rename", "branch", "edit", "feedback", "export"]
    turn: str = ""
    text: str = Field(default="", max_length=8000)
    opinion: Literal["helpful", "not_helpful"] = "helpful"
    format: Literal["md", "html", "docx", "pdf", "zip"] = "pdf"
    language: str = "en"
    count: int = 0


@dataclass(frozen=True)
class DeskParts:
    """The desk's own parts of the page."""

    action: gr.Textbox
    pending: gr.State
    scope: ScopeParts
    download: gr.HTML


def lay_out_desk(scope: ScopeParts) -> DeskParts:
    """Make the hidden parts, inside an open `gr.Blocks`; the controls of the search are laid out already."""
    return DeskParts(
        action=gr.Textbox(elem_id="desk-action", label="Action", show_label=False, container=False, elem_classes="off"),
        pending=gr.State(""),
        scope=scope,
        download=gr.HTML("", js_on_load=None, elem_id="download", elem_classes="off"),
    )


class Desk:
    """The behaviour of the conversation tools over an assistant."""

    def __init__(self, assistant: PageAssistant, parts: Parts, mine: DeskParts, page: Handlers, tickets: Tickets) -> None:
        self._assistant = assistant
        self._parts = parts
        self._mine = mine
        self._page = page
        self._tickets = tickets

    def find(self, words: str, token: object, current: str, request: gr.Request) -> Changes:
        """Conversations in which the words occur; all of them for no words."""
        owner = owner_of(token, request.username)
        rows = self._assistant.conversations(owner)
        if not words.strip():
            listed = [(row.id, row.title, f"{row.updated:%Y-%m-%d %H:%M}") for row in rows]
            return {self._parts.conversations: render.conversations_html(listed, current)}
        hits = {hit.conversation: hit.around for hit in self._assistant.search_conversations(owner, words)}
        found = [(row.id, row.title, hits[row.id] or f"{row.updated:%Y-%m-%d %H:%M}") for row in rows if row.id in hits]
        nothing = '<p class="quiet">No conversation has these words.</p>'
        return {self._parts.conversations: render.conversations_html(found, current) if found else nothing}

    def show_scope(self, token: object, current: str, request: gr.Request) -> Changes:
        """The limits of the open conversation's literature search."""
        library = self._assistant.library
        names = [c.name for c in library.collections() if c.kind == "literature"] if library is not None else []
        owner = owner_of(token, request.username)
        scope = self._assistant.search_scope(owner, current) if current else SearchScope()
        return shown_scope(self._mine.scope, scope, names)

    def limit(self, token: object, current: str, request: gr.Request, *values: Any) -> Changes:
        """A limit was set: it holds in this conversation, whatever the model asks."""
        owner = owner_of(token, request.username)
        try:
            scope = scope_of(*values)
            conversation = current or self._assistant.new_conversation(owner)
            self._assistant.limit_search(owner, conversation, scope)
        except ConsiliumError as error:
            return self._page.say(str(error), "error")
        told = self._page.say(f"Literature is searched within: {scope.told}" if scope.told else "")
        return {self._parts.current: conversation, **told}

    def act(self, raw: str, token: object, current: str, request: gr.Request) -> Changes:
        """A click on a tool, as the page's script told it."""
        try:
            action = DeskAction.model_validate_json(raw)
        except ValidationError:
            return {self._mine.pending: ""}
        owner = owner_of(token, request.username)
        if not current:
            return {
                self._mine.pending: "",
                **self._page.say("There is no conversation yet: ask a question first.", "warning"),
            }
        try:
            return {self._mine.pending: "", **self._done(owner, current, action, request)}
        except ConsiliumError as error:
            return {self._mine.pending: "", **self._page.say(str(error), "error")}

    def _done(self, owner: str, current: str, action: DeskAction, request: gr.Request) -> Changes:
        if action.kind == "rename":
            self._assistant.rename(owner, current, action.text)
            return self._page.opened(owner, current, request)
        if action.kind == "feedback":
            given = Feedback(turn=action.turn, opinion=action.opinion, reason=action.text[:2000])
            self._assistant.give_feedback(owner, current, given)
            return {**self._page.opened(owner, current, request), **self._page.say("Thank you: noted with this answer.")}
        if action.kind == "export":
            return {self._mine.download: self._export(owner, current, action)}
        return self._branched(owner, current, action, request)

    def _branched(self, owner: str, current: str, action: DeskAction, request: gr.Request) -> Changes:
        """A new conversation up to that answer; for an edited question up to the one before, and the question is asked."""
        turns = self._assistant.turns(owner, current)
        place = _place(turns, action.turn)
        if action.kind == "branch":
            new = self._assistant.branch(owner, current, place + 1)
            told = "This is a branch: what you ask here leaves the first conversation as it is."
            return {**self._page.opened(owner, new, request), **self._page.say(told)}
        if not action.text.strip():
            raise InputError("The question is empty.")
        new = self._assistant.branch(owner, current, place)
        return {**self._page.opened(owner, new, request), self._mine.pending: action.text}

    def _export(self, owner: str, current: str, action: DeskAction) -> str:
        """Write the file, and a link that fetches it once."""
        turns = self._assistant.turns(owner, current)
        if not turns:
            raise InputError("There is nothing to export yet: ask a question first.")
        chosen = turns[_place(turns, action.turn) : _place(turns, action.turn) + 1] if action.turn else turns
        store = self._assistant.store(owner, current)
        title = next((row.title for row in self._assistant.conversations(owner) if row.id == current), "")
        path = self._tickets.place(f".{action.format}")
        if action.format == "zip":
            write_bundle(path, chosen[-1], store)
        else:
            opinions = {given.turn: _opinion(given) for given in self._assistant.feedback(owner, current)}
            content = content_of(title or turns[0].question, chosen, store, opinions, words_of(action.language))
            path.write_bytes(written(content, action.format))
        ticket = self._tickets.issue(path, file_name(title, action.format), _MEDIA[action.format])
        return f'<a download href="export/{escape(ticket)}">{action.count}</a>'


def _place(turns: tuple[Turn, ...], turn: str) -> int:
    for place, candidate in enumerate(turns):
        if candidate.id == turn:
            return place
    raise InputError("That answer is not in this conversation any more.")


def _opinion(given: Feedback) -> str:
    word = "helpful" if given.opinion == "helpful" else "not helpful"
    return f"{word}: {given.reason}" if given.reason else word


def written(content: Content, form: Format) -> bytes:
    """The document in its form."""
    if form == "md":
        from ui.export.markdown import markdown

        return markdown(content).encode()
    if form == "html":
        from ui.export.page import page

        return page(content).encode()
    if form == "docx":
        from ui.export.word import word

        return word(content)
    from ui.export.pdf import pdf

    return pdf(content)


def file_name(title: str, suffix: str) -> str:
    """A file name from a title: letters and digits of any script, nothing that a file system or a header would obey."""
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in title)
    return f"{re.sub(' +', '-', kept.strip())[:60].strip('-') or 'consilium'}.{suffix}"

"""The library: collections of literature and images, filled by drop, browsed and searched without a conversation."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.library import Added, Collection, Kind, Library
from core.errors import ConsiliumError
from ui import library_html
from ui.handlers import Changes, _remove_uploads
from ui.languages import switch_html
from ui.render import notice_html, text
from ui.rooms import rooms_html
from ui.scope import ScopeParts, lay_out_scope, scope_of

_POLL_S = 0.3
_FIRST_START_S = 20.0
_START = "literature:starter"


class LibraryAction(BaseModel):
    """What the page's script tells of a click."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["open", "remove", "remove_entry", "document", "page", "back"]
    name: str = ""
    of: Kind = "literature"
    id: str = ""
    start: int = 0
    language: str = "en"
    count: int = 0


@dataclass(frozen=True)
class LibraryParts:
    """The parts of the page that change."""

    action: gr.Textbox
    current: gr.State
    start: gr.State
    collections: gr.HTML
    name: gr.Textbox
    kind: gr.Radio
    make: gr.Button
    note: gr.HTML
    query: gr.Textbox
    search: gr.Button
    like: gr.File
    results: gr.HTML
    about: gr.HTML
    files: gr.File
    progress: gr.HTML
    filter: gr.Textbox
    listing: gr.HTML

    def outputs(self) -> list[gr.components.Component]:
        """The parts that handlers change; what only a person sets is not among them."""
        kept = ("action", "kind", "make", "query", "search", "filter")
        return [getattr(self, item.name) for item in fields(self) if item.name not in kept]


def _html(value: str = "", name: str | None = None) -> gr.HTML:
    return gr.HTML(value, js_on_load=None, elem_id=name)


def lay_out_library() -> tuple[LibraryParts, ScopeParts]:
    """Make the parts, inside an open route."""
    parts: dict[str, object] = {
        "action": gr.Textbox(
            elem_id="library-action", label="Action", show_label=False, container=False, elem_classes="off"
        ),
        "current": gr.State(_START),
        "start": gr.State(0),
    }
    with gr.Row(elem_id="page", elem_classes="library"):
        with gr.Column(scale=2, min_width=230, elem_id="side"):
            gr.HTML('<h1 class="brand">Consilium</h1>' + rooms_html("library") + "<h2>Collections</h2>", js_on_load=None)
            parts["collections"] = _html(name="collections")
            gr.HTML("<h2>New collection</h2>", js_on_load=None)
            parts["name"] = gr.Textbox(label="Name, for example of a project", max_length=64)
            parts["kind"] = gr.Radio([("Literature", "literature"), ("Images", "images")], value="literature", label="Holds")
            parts["make"] = gr.Button("Make collection", size="sm")
            parts["note"] = _html(name="library-note")
            gr.HTML(switch_html(), js_on_load=None)
        with gr.Column(scale=4, min_width=320, elem_id="find-passages"):
            gr.HTML("<h2>Search</h2>", js_on_load=None)
            with gr.Row(elem_id="library-search"):
                parts["query"] = gr.Textbox(
                    placeholder="What to look for in the literature", label="Search the literature", show_label=False,
                    container=False, scale=5, max_length=2000,
                )  # fmt: skip
                parts["search"] = gr.Button("Search", variant="primary", scale=1, min_width=80)
            with gr.Accordion("Filters", open=False):
                scope = lay_out_scope(without_retracted=True)
            parts["like"] = gr.File(
                label="Or drop an image to find similar ones in the open collection", height=96, visible=False
            )
            parts["results"] = _html("", "results")
        with gr.Column(scale=4, min_width=320, elem_id="open-collection"):
            parts["about"] = _html(name="about")
            parts["files"] = gr.File(
                label="Drop papers: PDF, PubMed XML, RIS, BibTeX, text",
                file_count="multiple",
                height=140,
                elem_id="library-drop",
            )
            parts["progress"] = _html(name="library-progress")
            parts["filter"] = gr.Textbox(
                placeholder="Filter by title", label="Filter by title", show_label=False, container=False
            )
            parts["listing"] = _html("", "listing")
    return LibraryParts(**parts), scope  # type: ignore[arg-type]


class LibraryDesk:
    """The page's behaviour over the collections."""

    def __init__(self, library: Library, parts: LibraryParts, scope: ScopeParts) -> None:
        self._library = library
        self._parts = parts
        self._scope = scope

    def load(self, current: str) -> Changes:
        """The page opens."""
        return self._shown(current)

    def late(self) -> Changes:
        """Right after the first start the starter collection is still being made: it is listed once it is there."""
        until = time.monotonic() + _FIRST_START_S
        if self._library.collections():
            return {self._parts.note: gr.update()}
        while not (found := self._library.collections()) and time.monotonic() < until:
            time.sleep(_POLL_S)
        return {self._parts.collections: library_html.collections_html(found, "")}

    def make(self, name: str, kind: Kind, current: str) -> Changes:
        """A new collection, opened."""
        try:
            self._library.create(name.strip(), kind)
        except ConsiliumError as error:
            return {self._parts.note: notice_html(str(error), "error")}
        return {**self._shown(f"{kind}:{name.strip()}"), self._parts.name: "", self._parts.note: ""}

    def act(self, raw: str, current: str, words: str, start: int) -> Changes:
        """A click, as the page's script told it."""
        try:
            action = LibraryAction.model_validate_json(raw)
            return self._done(action, current, words, start)
        except ValidationError:
            return {self._parts.note: gr.update()}
        except ConsiliumError as error:
            return {self._parts.note: notice_html(str(error), "error")}

    def _done(self, action: LibraryAction, current: str, words: str, start: int) -> Changes:
        kind, name = _split(current)
        if action.kind == "open":
            return {**self._shown(f"{action.of}:{action.name}"), self._parts.note: ""}
        if action.kind == "remove":
            self._library.remove(action.name, action.of)
            return self._shown(_START)
        if action.kind == "remove_entry":
            self._library.remove_entry(name, kind, action.id)
            return self._shown(current, words, start)
        if action.kind == "document":
            opened = self._library.open(action.name or name, action.id)
            return {self._parts.listing: library_html.document_html(opened)}
        return self._listed(current, words, action.start if action.kind == "page" else start)

    def filter(self, words: str, current: str) -> Changes:
        """Entries whose title has the words."""
        return self._listed(current, words, 0)

    def add(self, files: Sequence[str] | None, current: str) -> Iterator[Changes]:
        """Add dropped files; what is done so far is told while they are read. Their uploaded copies are removed."""
        if not files:
            yield {self._parts.note: gr.update()}
            return
        kind, name = _split(current)
        paths = [Path(path) for path in files]
        told: queue.Queue[str] = queue.Queue()
        outcome: list[Added | ConsiliumError] = []

        def work() -> None:
            try:
                outcome.append(self._library.add(name, kind, paths, told.put))
            except ConsiliumError as error:
                outcome.append(error)

        worker = threading.Thread(target=work, name="add-to-library", daemon=True)
        worker.start()
        yield {self._parts.progress: _working("")}
        while worker.is_alive():
            worker.join(_POLL_S)
            last = ""
            while not told.empty():
                last = told.get()
            if last:
                yield {self._parts.progress: _working(last)}
        _remove_uploads(paths)
        yield {**self._shown(current), self._parts.files: None, self._parts.progress: _came_of(outcome)}

    def search(self, words: str, *values: Any) -> Changes:
        """Passages within the filters."""
        try:
            found = self._library.search(words, scope_of(*values))
        except ConsiliumError as error:
            return {self._parts.results: notice_html(str(error), "error")}
        return {self._parts.results: library_html.results_html(found)}

    def similar(self, file: str | None, current: str) -> Changes:
        """Images of the open collection that look like the dropped one."""
        if not file:
            return {self._parts.note: gr.update()}
        path = Path(file)
        try:
            found = self._library.neighbours(_split(current)[1], path)
        except ConsiliumError as error:
            return {self._parts.results: notice_html(str(error), "error"), self._parts.like: None}
        finally:
            _remove_uploads([path])
        return {self._parts.results: library_html.neighbours_html(found), self._parts.like: None}

    def _shown(self, current: str, words: str = "", start: int = 0) -> Changes:
        """The collections, and the open one; the first one when it is gone."""
        found = self._library.collections()
        item = _among(found, current)
        parts = self._parts
        changes: Changes = {
            parts.collections: library_html.collections_html(found, current if item else ""),
            self._scope.corpora: gr.update(choices=[c.name for c in found if c.kind == "literature" and not c.fault]),
            parts.current: current if item else _START,
        }
        if item is None:
            return {**changes, parts.about: "", parts.listing: "", parts.files: gr.update(visible=False)}
        images = item.kind == "images"
        label = "Drop images: DICOM, NIfTI, PNG" if images else "Drop papers: PDF, PubMed XML, RIS, BibTeX, text"
        return {
            **changes,
            parts.about: library_html.about_html(item),
            parts.files: gr.update(visible=item.own, label=label),
            parts.like: gr.update(visible=images),
            **self._listed(current, words, start),
        }

    def _listed(self, current: str, words: str, start: int) -> Changes:
        kind, name = _split(current)
        item = _among(self._library.collections(), current)
        if item is None or item.fault:
            return {self._parts.listing: notice_html(item.fault if item else "", "error")}
        listing = self._library.entries(name, kind, words, start, library_html.PAGE)
        return {self._parts.listing: library_html.listing_html(item, listing, start), self._parts.start: start}


def _split(current: str) -> tuple[Kind, str]:
    kind, _, name = current.partition(":")
    return ("images" if kind == "images" else "literature"), name


def _among(found: Sequence[Collection], current: str) -> Collection | None:
    return next((item for item in found if f"{item.kind}:{item.name}" == current), None)


def _working(words: str) -> str:
    spin = '<span class="mark spin" aria-hidden="true"></span>'
    return f'<p class="step running" role="status">{spin}<span>Adding…</span> <span class="words">{text(words)}</span></p>'


def _came_of(outcome: Sequence[Added | ConsiliumError]) -> str:
    done = outcome[0] if outcome else None
    if isinstance(done, Added):
        return library_html.added_html(done)
    return notice_html(str(done) if done else "This could not be added because of a fault in Consilium.", "error")


def join_library(app: gr.Blocks, library: Library) -> None:
    """Put the page under the app."""
    with app.route("Library", "library"):
        parts, scope = lay_out_library()
        on = LibraryDesk(library, parts, scope)
        everything = [*parts.outputs(), scope.corpora]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        app.load(on.load, [parts.current], everything, **quiet).then(on.late, [], everything, **quiet)
        parts.make.click(on.make, [parts.name, parts.kind, parts.current], everything, **quiet)
        parts.name.submit(on.make, [parts.name, parts.kind, parts.current], everything, **quiet)
        asked = [parts.action, parts.current, parts.filter, parts.start]
        parts.action.change(on.act, asked, everything, trigger_mode="multiple", **quiet)
        parts.filter.change(on.filter, [parts.filter, parts.current], everything, trigger_mode="always_last", **quiet)
        parts.files.upload(on.add, [parts.files, parts.current], everything, **quiet)
        parts.like.upload(on.similar, [parts.like, parts.current], everything, **quiet)
        for trigger in (parts.search.click, parts.query.submit):
            trigger(on.search, [parts.query, *scope.all()], everything, **quiet)

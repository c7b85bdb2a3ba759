"""What the page does when something is clicked, dropped or asked. Each handler returns the parts that change."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.events import TurnDone
from core.errors import ConsiliumError, InputError
from core.types import Finding, Passage, Turn
from ui import panel, render, viewer
from ui.layout import Parts
from ui.risk_card import risk_html, risk_view
from ui.seam import PageAssistant
from ui.session import Running, owner_of, token_from
from ui.timeline import timeline_html

_LOG = logging.getLogger(__name__)

Changes = dict[object, object]
_QUESTIONS = {
    "volume": "What can be seen in this scan?",
    "mask": "Are there vertebral fractures, and how severe are they?",
    "record": "Summarise this record.",
}
_ANY = "What is the evidence on treatment after a vertebral fracture?"
BUSY = "A question is being answered. Wait for it, or press Stop."


class Action(BaseModel):
    """What the page's script tells of a click. `count` makes a second click on the same thing a change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["evidence", "open"]
    turn: str = ""
    evidence: str = ""
    conversation: str = ""
    count: int = 0


class Handlers:
    """The page's behaviour over an assistant. Holds nothing of a user but what is running now."""

    def __init__(self, assistant: PageAssistant, parts: Parts) -> None:
        self._assistant = assistant
        self._parts = parts
        self._running = Running()

    def load(self, stored: object, request: gr.Request) -> Changes:
        """A page opens: give the browser its token and show its newest conversation."""
        token = token_from(stored)
        owner = owner_of(token, request.username)
        rows = self._assistant.conversations(owner)
        status = self._assistant.model_status()
        shown = render.model_html(status.model, status.reachable, status.detail, status.endpoint, status.table)
        changes = self._conversation(owner, rows[0].id if rows else "")
        ready: Changes = {
            part: gr.update(interactive=True) for part in (self._parts.new, self._parts.sample, self._parts.folder)
        }
        return {self._parts.token: token, self._parts.model: shown, **ready, **changes}

    def new(self, token: object, request: gr.Request) -> Changes:
        """An empty page; the conversation itself is made with its first file or question."""
        return self._conversation(owner_of(token, request.username), "")

    def ask_delete(self) -> Changes:
        """Ask before deleting."""
        return {self._parts.confirm: gr.update(visible=True)}

    def keep(self) -> Changes:
        """Not deleted after all."""
        return {self._parts.confirm: gr.update(visible=False)}

    def delete(self, token: object, current: str, request: gr.Request) -> Changes:
        """Delete the open conversation; a running question is stopped first."""
        owner = owner_of(token, request.username)
        self._running.stop(owner, current)
        if current:
            try:
                self._assistant.delete(owner, current)
            except ConsiliumError as error:
                return {self._parts.confirm: gr.update(visible=False), **self._say(str(error), "error")}
        rows = self._assistant.conversations(owner)
        return self._conversation(owner, rows[0].id if rows else "")

    def sample(self, token: object, current: str, request: gr.Request) -> Changes:
        """Attach the sample case, with its questions to start from."""
        owner = owner_of(token, request.username)
        try:
            conversation = current or self._assistant.new_conversation(owner)
            case = self._assistant.load_sample(owner, conversation)
        except ConsiliumError as error:
            return self._say(str(error), "error")
        return {**self._conversation(owner, conversation, case.questions), **self._say(case.note)}

    def attach(self, token: object, current: str, files: Sequence[str] | str | None, request: gr.Request) -> Changes:
        """Take in files. The upload's own copies are removed: the conversation has its own."""
        if not files:
            return self._unchanged()
        paths = [Path(files)] if isinstance(files, str) else [Path(name) for name in files]
        owner = owner_of(token, request.username)
        try:
            conversation = current or self._assistant.new_conversation(owner)
            done = self._assistant.attach(owner, conversation, paths)
        except ConsiliumError as error:
            return {self._parts.files: None, self._parts.problems: render.problems_html((str(error),))}
        finally:
            _remove_uploads(paths)
        changes = self._conversation(owner, conversation)
        changes[self._parts.problems] = render.problems_html(done.problems)
        return {**changes, self._parts.files: None}

    def act(self, raw: str, token: object, current: str, request: gr.Request) -> Changes:
        """A click on evidence or on a conversation, as the page's script told it."""
        try:
            action = Action.model_validate_json(raw)
        except ValidationError:
            return self._unchanged()
        owner = owner_of(token, request.username)
        try:
            if action.kind == "open":
                return self._conversation(owner, action.conversation)
            return self._evidence(owner, current, action.turn, action.evidence)
        except InputError as error:
            return self._say(str(error), "error")

    def ask(
        self, question: str, token: object, current: str, suggested: Sequence[str], request: gr.Request
    ) -> Iterator[Changes]:
        """Answer a question, step by step. Empty ones are ignored; one at a time."""
        question = (question or "").strip()
        if not question:
            yield self._unchanged()
            return
        owner = owner_of(token, request.username)
        parts = self._parts
        conversation = current or self._assistant.new_conversation(owner)
        stop = self._running.begin(owner, conversation)
        if stop is None:
            yield self._say(BUSY, "warning")
            return
        live = render.Live(question)
        try:
            yield {**self._started(conversation), parts.live: render.live_html(live)}
            for event in self._assistant.ask(owner, conversation, question, stop):
                if isinstance(event, TurnDone):
                    break
                live.take(event)
                live.stopping = stop.is_set()
                yield {parts.live: render.live_html(live)}
            failure = ""
        except ConsiliumError as error:
            failure = str(error)
        except Exception:  # the page must not stay in its running state
            _LOG.exception("A turn ended by an unexpected error")
            failure = "This question could not be answered because of a fault in Consilium. Ask again."
        finally:
            stop.set()
            self._running.end(owner, conversation)
        yield self._ended(owner, conversation, live, suggested, failure)

    def stop(self, token: object, current: str, request: gr.Request) -> Changes:
        """Stop the running question."""
        self._running.stop(owner_of(token, request.username), current)
        return self._say("Stopping after the current step.")

    def pick(self, token: object, current: str, handle: str | None, request: gr.Request) -> Changes:
        """Another image was chosen."""
        owner = owner_of(token, request.username)
        if not handle or not current:
            return self._unchanged()
        try:
            return self._look(owner, current, viewer.first_look(self._assistant, owner, current, handle))
        except InputError as error:
            return {self._parts.picture: render.notice_html(str(error), "error")}

    def draw(
        self,
        token: object,
        current: str,
        handle: str | None,
        plane: str,
        index: float,
        window: str,
        overlay_on: bool,
        overlay: str | None,
        opacity: float,
        request: gr.Request,
    ) -> Changes:
        """A control of the viewer moved."""
        if not handle or not current:
            return {self._parts.picture: viewer.NO_IMAGE}
        owner = owner_of(token, request.username)
        look = viewer.Look(handle, plane, int(index), window, (overlay or "") if overlay_on else "", opacity)
        return {self._parts.picture: viewer.slice_html(self._assistant, owner, current, look)}

    def turn_plane(self, token: object, current: str, handle: str | None, plane: str, request: gr.Request) -> Changes:
        """Another plane: the middle slice of it."""
        if not handle or not current:
            return self._unchanged()
        count = self._assistant.slice_count(owner_of(token, request.username), current, handle, plane)
        return {self._parts.index: gr.update(maximum=max(count - 1, 1), value=count // 2)}

    def _unchanged(self) -> Changes:
        """No change. Gradio takes an empty dict for a value, so one part is named."""
        return {self._parts.note: gr.update()}

    def _say(self, words: str, level: str = "info") -> Changes:
        return {self._parts.note: render.notice_html(words, level)}

    def _started(self, conversation: str) -> Changes:
        parts = self._parts
        return {
            parts.current: conversation,
            parts.question: "",
            parts.note: "",
            parts.suggestions: "",
            parts.send: gr.update(visible=False),
            parts.stop: gr.update(visible=True),
        }

    def _ended(self, owner: str, conversation: str, live: render.Live, suggested: Sequence[str], failure: str) -> Changes:
        try:
            changes = self._conversation(owner, conversation, suggested)
        except InputError:  # deleted while it ran
            changes = self._conversation(owner, "")
        else:
            changes |= self._first_evidence(owner, conversation)
        notes = [notice.text for notice in live.notices]
        level = "error" if failure else "warning"
        changes |= self._say(" ".join([*notes, failure]).strip(), level)
        return changes

    def _first_evidence(self, owner: str, conversation: str) -> Changes:
        """What the first sentence of the newest answer stands on, so that the panel is never behind the answer."""
        turns = self._assistant.turns(owner, conversation)
        if not turns or turns[-1].answer is None:
            return {}
        turn, sentences = turns[-1], turns[-1].answer.sentences
        cited = next((number for sentence in sentences for number in sentence.evidence), None)
        return self._evidence(owner, conversation, turn.id, cited) if cited else {}

    def _rows(self, owner: str) -> list[tuple[str, str, str]]:
        return [(r.id, r.title, f"{r.updated:%Y-%m-%d %H:%M}") for r in self._assistant.conversations(owner)]

    def _conversation(self, owner: str, conversation: str, suggested: Sequence[str] = ()) -> Changes:
        """Everything that a conversation shows, at rest or running. Raises InputError when it is not the owner's."""
        parts = self._parts
        turns = self._assistant.turns(owner, conversation) if conversation else ()
        store = self._assistant.store(owner, conversation) if conversation else None
        attached = store.list() if store is not None else ()
        figures = viewer.pictures(store, turns) if store is not None else {}
        busy = self._running.busy(owner, conversation)
        asked = {turn.question for turn in turns}
        kinds = {artifact.kind for artifact in attached}
        questions = suggested or [words for kind, words in _QUESTIONS.items() if kind in kinds] or [_ANY]
        left = [line for line in questions if line not in asked][:5]
        return {
            parts.current: conversation,
            parts.questions: tuple(questions),
            parts.conversations: render.conversations_html(self._rows(owner), conversation),
            parts.delete: gr.update(interactive=bool(conversation)),
            parts.confirm: gr.update(visible=False),
            parts.history: render.history_html(turns, figures, self._opinions(owner, conversation)) or render.WELCOME,
            parts.live: render.notice_html("A question is being answered; reload to see it.") if busy else "",
            parts.suggestions: "" if busy else render.suggestions_html(left),
            parts.attached: render.attachments_html([a for a in attached if a.made_by is None]),
            parts.problems: "",
            parts.note: "",
            parts.send: gr.update(visible=not busy),
            parts.stop: gr.update(visible=busy),
            parts.risk: risk_html(_last_estimate(turns)),
            parts.timeline: timeline_html(store),
            **self._panel(turns[-1] if turns else None, ""),
            **self._images(owner, conversation),
        }

    def opened(self, owner: str, conversation: str, request: gr.Request) -> Changes:
        """Everything that a conversation shows. Raises InputError when it is not the owner's."""
        return self._conversation(owner, conversation)

    def say(self, words: str, level: str = "info") -> Changes:
        """A note above the question."""
        return self._say(words, level)

    def _opinions(self, owner: str, conversation: str) -> dict[str, str]:
        return {g.turn: g.opinion for g in self._assistant.feedback(owner, conversation)} if conversation else {}

    def _panel(self, turn: Turn | None, evidence: str) -> Changes:
        parts = self._parts
        return {
            parts.shown: turn.id if turn is not None else "",
            parts.sources: panel.sources_html(turn, evidence),
            parts.record: panel.record_html(turn, evidence),
            parts.steps: panel.steps_html(turn),
            parts.finding: panel.findings_html(turn, evidence),
        }

    def _evidence(self, owner: str, conversation: str, turn_id: str, evidence: str) -> Changes:
        """Show exactly one piece of evidence in the panel."""
        turn = next((t for t in self._assistant.turns(owner, conversation) if t.id == turn_id), None)
        item = next((e for e in turn.evidence if e.id == evidence), None) if turn is not None else None
        if turn is None or item is None:
            return self._say("That evidence is not in this conversation any more.", "warning")
        changes = self._panel(turn, evidence)
        if isinstance(item, Passage):
            tab = "sources"
        elif isinstance(item, Finding):
            tab = "images"
            changes |= self._finding(owner, conversation, turn, item)
        else:
            tab = "record"
        return {**changes, self._parts.tabs: gr.update(selected=tab)}

    def _finding(self, owner: str, conversation: str, turn: Turn, item: Finding) -> Changes:
        store = self._assistant.store(owner, conversation)
        changes: Changes = {}
        if item.location is not None:
            changes = self._look(owner, conversation, viewer.look_at(store, item.location))
        shown = panel.finding_html(item)
        if item.location is None:
            shown += render.notice_html("This finding has no place in an image.")
        return {**changes, self._parts.finding: shown + panel.findings_html(turn, item.id)}

    def _images(self, owner: str, conversation: str) -> Changes:
        store = self._assistant.store(owner, conversation) if conversation else None
        choices = viewer.images(store) if store is not None else []
        if not choices:
            return {
                self._parts.image: gr.update(choices=[], value=None),
                self._parts.picture: viewer.NO_IMAGE,
                self._parts.index: gr.update(visible=False),
            }
        look = viewer.first_look(self._assistant, owner, conversation, choices[0][1])
        return self._look(owner, conversation, look)

    def _look(self, owner: str, conversation: str, look: viewer.Look) -> Changes:
        """The viewer's controls and picture for a look."""
        parts = self._parts
        store = self._assistant.store(owner, conversation)
        masks = viewer.overlays(store, look.handle)
        count = self._assistant.slice_count(owner, conversation, look.handle, look.plane)
        flat = viewer.is_flat(store, look.handle)
        return {
            parts.image: gr.update(choices=viewer.images(store), value=look.handle),
            parts.plane: gr.update(value=look.plane, visible=not flat),
            parts.index: gr.update(maximum=max(count - 1, 1), value=look.index, visible=count > 1),
            parts.window: gr.update(value=look.window),
            parts.overlay_on: gr.update(value=bool(look.overlay), visible=bool(masks)),
            parts.overlay: gr.update(choices=masks, value=look.overlay or None, visible=bool(masks)),
            parts.opacity: gr.update(value=look.opacity, visible=bool(masks)),
            parts.picture: viewer.slice_html(self._assistant, owner, conversation, look),
        }


def _last_estimate(turns: Sequence[Turn]) -> Turn | None:
    return next((turn for turn in reversed(turns) if risk_view(turn) is not None), None)


def _remove_uploads(paths: Sequence[Path]) -> None:
    """Remove uploaded copies, and only what lies in the upload folder."""
    uploads = Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()
    for path in paths:
        folder = path.resolve().parent
        if uploads in folder.parents:
            shutil.rmtree(folder, ignore_errors=True)

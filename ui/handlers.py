"""What the page does when something is clicked, dropped or asked. Each handler returns the parts that change."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ConsiliumError, InputError
from core.types import Turn
from ui import panel, render
from ui.jobs import Job, Jobs, Watching
from ui.layout import Parts
from ui.risk_card import risk_html, risk_view
from ui.seam import PageAssistant
from ui.session import owner_of, token_from
from ui.timeline import timeline_html
from ui.viewer.keys import Keys, session_in
from ui.viewer.pictures import figure_addresses
from ui.welcome import READY, welcome_html

Changes = dict[object, object]
_QUESTIONS = {
    "volume": "What can be seen in this scan?",
    "mask": "Are there vertebral fractures, and how severe are they?",
    "record": "Summarise this record.",
}
_ANY = "What is the evidence on treatment after a vertebral fracture?"
BUSY = "A question is being answered. Wait for it, or press Stop."


class Action(BaseModel):
    """What the page's script tells of a click. `count` makes a second click on the same thing a change.

    What a citation shows does not come this way: the script fetches it, which is quicker than a round through Gradio.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["open"]
    conversation: str = ""
    count: int = 0


class Handlers:
    """The page's behaviour over an assistant. Holds nothing of a user but what is running now."""

    def __init__(self, assistant: PageAssistant, parts: Parts, keys: Keys, jobs: Jobs) -> None:
        self._assistant = assistant
        self._parts = parts
        self._keys = keys
        self._jobs = jobs
        self._watching = Watching()
        self._endpoint: str | None = None

    def load(self, stored: object, request: gr.Request) -> Changes:
        """A page opens: give the browser its token and show its newest conversation."""
        token = token_from(stored)
        owner = owner_of(token, request.username)
        rows = self._assistant.conversations(owner)
        status = self._assistant.model_status()
        self._endpoint = status.endpoint
        shown = render.model_html(status.model, status.reachable, status.detail, status.endpoint, status.table)
        changes = self._conversation(owner, rows[0].id if rows else "", request)
        ready: Changes = {
            part: gr.update(interactive=True) for part in (self._parts.new, self._parts.sample, self._parts.folder)
        }
        changes[self._parts.send] = gr.update(visible=not self._jobs.of(owner, rows[0].id if rows else ""), interactive=True)
        return {self._parts.token: token, self._parts.model: shown, **ready, **changes}

    def new(self, token: object, request: gr.Request) -> Changes:
        """An empty page; the conversation itself is made with its first file or question."""
        return self._conversation(owner_of(token, request.username), "", request)

    def ask_delete(self) -> Changes:
        """Ask before deleting."""
        return {self._parts.confirm: gr.update(visible=True)}

    def keep(self) -> Changes:
        """Not deleted after all."""
        return {self._parts.confirm: gr.update(visible=False)}

    def delete(self, token: object, current: str, request: gr.Request) -> Changes:
        """Delete the open conversation; a running question is stopped first."""
        owner = owner_of(token, request.username)
        self._jobs.stop(owner, current)
        if current:
            try:
                self._assistant.delete(owner, current)
            except ConsiliumError as error:
                return {self._parts.confirm: gr.update(visible=False), **self._say(str(error), "error")}
        rows = self._assistant.conversations(owner)
        return self._conversation(owner, rows[0].id if rows else "", request)

    def expect_files(self, token: object, current: str, request: gr.Request) -> Changes:
        """Files come: open their conversation first, so that a question asked meanwhile is asked in it."""
        try:
            conversation = current or self._assistant.new_conversation(owner_of(token, request.username))
        except ValueError:  # dropped before the page had its session, which is there when they are read
            return self._say("Reading the files.")
        return {self._parts.current: conversation, **self._say("Reading the files.")}

    def sample(self, token: object, current: str, request: gr.Request) -> Changes:
        """Attach the sample case, with its questions to start from."""
        owner = owner_of(token, request.username)
        try:
            conversation = current or self._assistant.new_conversation(owner)
            case = self._assistant.load_sample(owner, conversation)
        except ConsiliumError as error:
            return self._say(str(error), "error")
        return {**self._conversation(owner, conversation, request, case.questions), **self._say(case.note)}

    def attach(self, token: object, current: str, files: Sequence[str] | str | None, request: gr.Request) -> Changes:
        """Take in files. The upload's own copies are removed: the conversation has its own."""
        if not files:
            return self._unchanged()
        paths = [Path(files)] if isinstance(files, str) else [Path(name) for name in files]
        try:
            owner = owner_of(token, request.username)
            conversation = current or self._assistant.new_conversation(owner)
            done = self._assistant.attach(owner, conversation, paths)
        except (ConsiliumError, ValueError) as error:
            return {self._parts.files: None, self._parts.problems: render.problems_html((str(error),)), self._parts.note: ""}
        finally:
            _remove_uploads(paths)
        changes = self._conversation(owner, conversation, request)
        changes[self._parts.problems] = render.problems_html(done.problems)
        return {**changes, self._parts.files: None}

    def act(self, raw: str, token: object, current: str, request: gr.Request) -> Changes:
        """A click on a conversation, as the page's script told it."""
        try:
            action = Action.model_validate_json(raw)
        except ValidationError:
            return self._unchanged()
        owner = owner_of(token, request.username)
        try:
            return self._conversation(owner, action.conversation, request)
        except InputError as error:
            return self._say(str(error), "error")

    def ask(
        self, question: str, token: object, current: str, suggested: Sequence[str], request: gr.Request
    ) -> Iterator[Changes]:
        """Answer a question, step by step. Empty ones are ignored; one at a time.

        The question is answered in the background: a page that closes ends only its own following.
        """
        question = (question or "").strip()
        if not question:
            yield self._unchanged()
            return
        try:
            owner = owner_of(token, request.username)
        except ValueError as error:  # Enter, before the page had its session
            yield self._say(str(error), "warning")
            return
        conversation = current or self._assistant.new_conversation(owner)
        job = self._jobs.begin(
            owner, conversation, question, lambda stop: self._assistant.ask(owner, conversation, question, stop)
        )
        if job is None:
            yield self._say(BUSY, "warning")
            return
        started = {**self._started(conversation), self._parts.shown: self._shown(owner, conversation, request)}
        number = self._watching.show(_page_of(request), conversation)
        yield {**started, self._parts.live: render.live_html(job.live)}
        yield from self._follow(job, number, request, suggested)

    def follow(self, token: object, current: str, suggested: Sequence[str], request: gr.Request) -> Iterator[Changes]:
        """Take up a question that is being answered in the conversation that is open now."""
        owner = owner_of(token, request.username)
        job = self._jobs.of(owner, current) if current else None
        if job is None:
            yield self._unchanged()
            return
        number = self._watching.show(_page_of(request), current)
        yield from self._follow(job, number, request, suggested)

    def _follow(self, job: Job, number: int, request: gr.Request, suggested: Sequence[str]) -> Iterator[Changes]:
        for live in job.follow():
            if not self._watching.still(_page_of(request), number):
                yield self._unchanged()
                return
            yield {self._parts.live: render.live_html(live)}
        yield self._ended(job, request, suggested)

    def stop(self, token: object, current: str, request: gr.Request) -> Changes:
        """Stop the running question."""
        self._jobs.stop(owner_of(token, request.username), current)
        return self._say("Stopping after the current step.")

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

    def _ended(self, job: Job, request: gr.Request, suggested: Sequence[str]) -> Changes:
        try:
            changes = self._conversation(job.owner, job.conversation, request, suggested)
        except InputError:  # deleted while it ran
            changes = self._conversation(job.owner, "", request)
        notes = [notice.text for notice in job.live.notices]
        changes |= self._say(" ".join([*notes, job.failure]).strip(), "error" if job.failure else "warning")
        return changes

    def _rows(self, owner: str) -> list[tuple[str, str, str]]:
        return [(r.id, r.title, f"{r.updated:%Y-%m-%d %H:%M}") for r in self._assistant.conversations(owner)]

    def _conversation(self, owner: str, conversation: str, request: gr.Request, suggested: Sequence[str] = ()) -> Changes:
        """Everything that a conversation shows, at rest or running. Raises InputError when it is not the owner's."""
        parts = self._parts
        turns = self._assistant.turns(owner, conversation) if conversation else ()
        store = self._assistant.store(owner, conversation) if conversation else None
        attached = store.list() if store is not None else ()
        shown = self._shown(owner, conversation, request)
        key = self._keys.key(owner, conversation, _session_of(request))
        figures = figure_addresses(store, turns, key) if store is not None else {}
        job = self._jobs.of(owner, conversation)
        busy = job is not None
        if busy and turns and turns[-1].answer is None and not turns[-1].error:
            turns = turns[:-1]  # it is shown as it comes
        self._watching.show(_page_of(request), conversation)
        first = READY if attached or busy else welcome_html(self._endpoint)
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
            parts.history: render.history_html(turns, figures, self._opinions(owner, conversation)) or first,
            parts.live: render.live_html(job.live) if job is not None else "",
            parts.suggestions: "" if busy or (first is not READY and not turns) else render.suggestions_html(left),
            parts.attached: render.attachments_html([a for a in attached if a.made_by is None]),
            parts.problems: "",
            parts.note: "",
            parts.send: gr.update(visible=not busy),
            parts.stop: gr.update(visible=busy),
            parts.risk: risk_html(_last_estimate(turns)),
            parts.timeline: timeline_html(store),
            parts.shown: shown,
            parts.record: panel.record_html(turns[-1] if turns else None),
        }

    def opened(self, owner: str, conversation: str, request: gr.Request) -> Changes:
        """Everything that a conversation shows. Raises InputError when it is not the owner's."""
        return self._conversation(owner, conversation, request)

    def say(self, words: str, level: str = "info") -> Changes:
        """A note above the question."""
        return self._say(words, level)

    def _opinions(self, owner: str, conversation: str) -> dict[str, str]:
        return {g.turn: g.opinion for g in self._assistant.feedback(owner, conversation)} if conversation else {}

    def _shown(self, owner: str, conversation: str, request: gr.Request) -> str:
        """What the page's script needs to fetch evidence of the conversation that is shown."""
        key = self._keys.key(owner, conversation, _session_of(request)) if conversation else ""
        turns = self._assistant.turns(owner, conversation) if conversation else ()
        files = len(self._assistant.store(owner, conversation).list()) if conversation else 0
        return render.shown_html(conversation, key, turns, files)


def _page_of(request: gr.Request) -> str:
    """An open page, told from other pages of the same browser."""
    return str(getattr(request, "session_hash", None) or "")


def _session_of(request: gr.Request) -> str:
    """The browser's session. Behind the queue, Gradio's cookies are an object of its own that only looks like a dict."""
    return session_in(dict(getattr(request, "cookies", None) or {}))


def _last_estimate(turns: Sequence[Turn]) -> Turn | None:
    return next((turn for turn in reversed(turns) if risk_view(turn) is not None), None)


def _remove_uploads(paths: Sequence[Path]) -> None:
    """Remove uploaded copies, and only what lies in the upload folder."""
    uploads = Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()
    for path in paths:
        folder = path.resolve().parent
        if uploads in folder.parents:
            shutil.rmtree(folder, ignore_errors=True)

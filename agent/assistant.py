"""The one object that the page and the command line talk to: conversations, files, questions."""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from pydantic import JsonValue

from agent.branching import branch_files, branch_memory
from agent.conversations import ConversationInfo, Feedback, Hit, Place
from agent.documents import ATTACHED, handle_of
from agent.ending import STOPPED, ended, telling_storage_faults
from agent.events import Event, Queued, TurnDone
from agent.fair_queue import FairQueue, Ticket
from agent.ledger import TurnRun
from agent.library import Library, is_collection_name
from agent.ready_model import Connect
from agent.responder import Responder
from agent.sessions import Session, Sessions
from agent.state import open_state
from agent.status import Attached, ModelStatus, SampleCase
from agent.turn_log import TurnLog
from agent.turns import Asked, RunningTurn
from core.audit import AuditLog
from core.errors import ConsiliumError, InputError, SettingError, ToolCancelled
from core.pseudonym import Pseudonyms
from core.settings import Settings, load_settings
from core.store import SessionStore
from core.types import CallRecord, Passage, SearchScope, ToolResult, Turn
from retrieval.originals import original_of
from tools.base import Progress, Tool
from tools.imaging.slices import draw_slice, slice_count
from tools.intake_worker import Limits, read_in_worker
from tools.registry import Registry
from tools.runtime import CallRequest, ToolRuntime, log_call
from tools.sample import NOTE, QUESTIONS, load_sample

_log = logging.getLogger(__name__)
_POLL_S = 0.05
_WORKSPACE = "workspace"
CHANGEABLE = ("model", "model_name", "planner", "strategy", "strict", "api_key")
"""Settings that can be changed while it runs."""


class Assistant:
    """Conversations of many owners. `connect` gives the model, and raises `EndpointError` while it is away."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        connect: Connect,
        library: Library | None = None,
        connector: Callable[[Settings], Connect] | None = None,
    ) -> None:
        self._settings = settings
        self.library = library
        self._connector = connector
        self._registry = registry
        self._audit = AuditLog(settings.home)
        self._runtime = ToolRuntime(registry, self._note_call)
        self.state = open_state(settings)
        self._folder = self.state.sessions
        self._conversations = self.state.conversations
        self._checkpoints = self.state.checkpoints
        self._turns = TurnLog(self._conversations, self.state.workers, self._audit)
        self._line = FairQueue(settings.turns_at_once, settings.turns_waiting, settings.turns_per_user)
        self._running: dict[str, RunningTurn] = {}
        self._sessions = Sessions(self._folder, settings, busy=self._running)
        self._responder = self._new_responder(settings, connect)
        self._watchers: list[Callable[[Turn], None]] = []
        for conversation in self._conversations.expire(settings.session_days):
            self._remove_files(conversation)

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the databases."""
        self.state.close()
        if self.library is not None:
            self.library.close()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def change_settings(self, changes: Mapping[str, JsonValue]) -> None:
        """Answer with other settings from the next question on, until the process ends; for everyone.

        Raises:
            SettingError: one may not be changed while running, or has a value that is not allowed.
        """
        fixed = sorted(set(changes) - set(CHANGEABLE))
        if fixed or self._connector is None:
            raise SettingError(f"These are set at the start: {', '.join(fixed) or 'all'}. Allowed: {', '.join(CHANGEABLE)}.")
        given = {name: getattr(self._settings, name) for name in self._settings.model_fields_set}
        changed = load_settings(**{**given, **changes})
        self._responder = self._new_responder(changed, self._connector(changed))
        self._settings = changed
        for name in sorted(changes):
            self._audit.write("setting", name=name)

    def tools(self) -> tuple[Tool, ...]:
        """All registered tools."""
        return tuple(self._registry)

    def watch(self, watcher: Callable[[Turn], None]) -> None:
        """Have every turn told as it ends, from the turn's own thread; for measuring, so a watcher must not raise."""
        self._watchers.append(watcher)

    def load(self) -> tuple[int, int]:
        """How many questions are being answered, and how many wait."""
        return self._line.running, self._line.waiting

    def stores_answer(self) -> bool:
        """Whether the database and the folder of files can be used now."""
        try:
            self.state.database.run("SELECT 1")
            self._folder.mkdir(parents=True, exist_ok=True)
        except Exception:  # either database's driver raises its own; a probe answers no rather than fail
            _log.exception("a store does not answer")
            return False
        return True

    def workspace(self, owner: str) -> str:
        """The conversation in which an owner's tools run when none is named; made when it is first needed."""
        place = self._conversations.place(owner, _WORKSPACE)
        if place is not None:
            return place.conversation
        conversation = self.new_conversation(owner)
        self._conversations.led_to(owner, _WORKSPACE, Place(conversation=conversation, position=0))
        return conversation

    def call_tool(
        self,
        owner: str,
        conversation: str,
        name: str,
        arguments: Mapping[str, JsonValue],
        progress: Progress = lambda fraction, message: None,
        cancelled: threading.Event | None = None,
    ) -> ToolResult:
        """Run one tool on a conversation's files, outside of any turn. Its evidence is numbered from 1.

        Raises:
            UnknownConversation: it is not the owner's.
            TooBusy: too much is being done.
        """
        session = self._session(owner, conversation)
        session.store.touch()
        stop = cancelled or threading.Event()
        ticket = self._line.enter(owner)
        with self._line.place(ticket, stop, lambda position: None):
            call = CallRequest(name, arguments, f"call-{secrets.token_hex(4)}", session.store, progress, stop)
            result = self._runtime.call(call).result
        evidence = tuple(item.model_copy(update={"id": str(n)}) for n, item in enumerate(result.evidence, start=1))
        return result.model_copy(update={"evidence": evidence})

    def stop(self, owner: str, conversation: str) -> bool:
        """Stop the question that this process answers in a conversation; whether there was one."""
        self._conversations.check(owner, conversation)
        running = self._running.get(conversation)
        if running is not None:
            running.stop()
        return running is not None

    def new_conversation(self, owner: str) -> str:
        """Open a conversation; returns its id."""
        return self._conversations.new(owner)

    def conversations(self, owner: str) -> tuple[ConversationInfo, ...]:
        """The owner's conversations, newest first."""
        return self._conversations.list(owner)

    def limit_search(self, owner: str, conversation: str, scope: SearchScope) -> None:
        """Where literature may be looked for in a conversation, whatever the model asks."""
        self._conversations.limit_search(owner, conversation, scope)

    def search_scope(self, owner: str, conversation: str) -> SearchScope:
        """The same, as it stands."""
        self._conversations.check(owner, conversation)
        return self._conversations.search_scope(conversation)

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Give it another title. Raises InputError for an empty or too long one."""
        self._conversations.rename(owner, conversation, title)

    def search_conversations(self, owner: str, words: str) -> tuple[Hit, ...]:
        """The owner's conversations in which all the words occur, newest first."""
        return self._conversations.search(owner, words)

    def branch(self, owner: str, conversation: str, keep: int) -> str:
        """A new conversation that goes on from the first `keep` turns, with the files of that moment; its id.

        Raises:
            InputError: there are fewer turns, or one that is kept is still being answered.
        """
        if conversation in self._running and keep >= len(self.turns(owner, conversation)):
            raise InputError("The last question is still being answered; wait for it or stop it.")
        source = self.store(owner, conversation)
        new = self._conversations.copy(owner, conversation, keep)
        try:
            branch_files(source, self.store(owner, new), self.turns(owner, conversation), keep)
            branch_memory(self._checkpoints, conversation, new, self.turns(owner, conversation), keep)
        except BaseException:
            self.delete(owner, new)
            raise
        self._audit.write("branch", conversation=conversation, to=new)
        return new

    def give_feedback(self, owner: str, conversation: str, feedback: Feedback) -> None:
        """Note what a person thinks of an answer. Raises InputError when there is no such answer."""
        self._conversations.give_feedback(owner, conversation, feedback)

    def feedback(self, owner: str, conversation: str) -> tuple[Feedback, ...]:
        """What was noted on the answers of a conversation."""
        return self._conversations.feedback(owner, conversation)

    def delete(self, owner: str, conversation: str) -> None:
        """Delete its turns, its memory and its files, so that no byte of them is left in the database files."""
        self._conversations.delete(owner, conversation)
        self._remove_files(conversation)
        self.state.database.scrub()
        self._checkpoints.scrub()
        self._audit.write("delete", conversation=conversation)

    def turns(self, owner: str, conversation: str) -> tuple[Turn, ...]:
        """The turns so far."""
        return self._conversations.turns(owner, conversation)

    def store(self, owner: str, conversation: str) -> SessionStore:
        """Its files."""
        return self._session(owner, conversation).store

    def attach(self, owner: str, conversation: str, paths: Sequence[Path]) -> Attached:
        """Read files in; one that cannot be read does not lose the others."""
        limits = Limits(seconds=self._settings.upload_seconds, memory_mb=self._settings.upload_memory_mb)
        whose = Pseudonyms.kept_in(self._settings.home)
        taken = read_in_worker(paths, self.store(owner, conversation), limits, pseudonyms=whose)
        self._audit.write("attach", conversation=conversation, files=len(paths), taken=len(taken.artifacts))
        return Attached(artifacts=taken.artifacts, problems=taken.problems)

    def load_sample(self, owner: str, conversation: str) -> SampleCase:
        """Attach the sample case."""
        artifacts = load_sample(self.store(owner, conversation), self._settings.home / "cache")
        return SampleCase(artifacts=artifacts, questions=QUESTIONS, note=NOTE)

    def draw_slice(
        self,
        owner: str,
        conversation: str,
        handle: str,
        plane: str,
        index: int,
        window: str,
        overlay: str | None,
        opacity: float,
    ) -> bytes:
        """A slice of an artifact as PNG, for the viewer."""
        return draw_slice(self.store(owner, conversation), handle, plane, index, window, overlay, opacity)

    def slice_count(self, owner: str, conversation: str, handle: str, plane: str) -> int:
        """How many slices there are along a plane's normal."""
        return slice_count(self.store(owner, conversation), handle, plane)

    def original(self, owner: str, conversation: str, passage: Passage) -> Path | None:
        """The file that a passage was read from: attached to the conversation, or kept by the collection it is of."""
        if passage.corpus == ATTACHED:
            store, handle = self.store(owner, conversation), handle_of(passage.document_id)
            return store.path(handle) if handle in {artifact.handle for artifact in store.list()} else None
        if not is_collection_name(passage.corpus):
            return None
        return original_of(self._settings.home / "indexes" / passage.corpus, passage.document_id)

    def model_status(self) -> ModelStatus:
        """Whether the model can be used now."""
        try:
            model = self._responder.connect()
        except ConsiliumError as error:
            return ModelStatus(
                model=self._settings.model_name or "?",
                endpoint=self._settings.model,
                reachable=False,
                detail=str(error),
            )
        detail = (
            f"served at {model.endpoint}: {model.abilities}"
            if model.endpoint
            else "quotes evidence, generates nothing; on this machine"
        )
        return ModelStatus(model=model.name, endpoint=model.endpoint, reachable=True, detail=detail, table=model.table)

    def ask(self, owner: str, conversation: str, question: str, cancelled: threading.Event | None = None) -> Iterator[Event]:
        """Answer a question; events as they happen, `TurnDone` last.

        Raises:
            UnknownConversation: it is not the owner's.
            InputError: the question is empty, or the last one is still being answered.
            TooBusy: too many questions are being answered.
        """
        events: queue.Queue[Event] = queue.Queue()
        running = self.start(owner, conversation, Asked(question=question), events.put, cancelled)
        try:
            while True:
                try:
                    event = events.get(timeout=_POLL_S)
                except queue.Empty:
                    if running.cancelled.is_set():
                        running.stop()
                    continue
                yield event
                if isinstance(event, TurnDone):
                    return
        finally:
            running.stop()
            running.join()  # the next turn must not meet this one's last steps

    def start(
        self,
        owner: str,
        conversation: str,
        asked: Asked,
        emit: Callable[[Event], None],
        cancelled: threading.Event | None = None,
    ) -> RunningTurn:
        """Begin to answer; events go to `emit` from the turn's own thread, `TurnDone` last.

        Raises as `ask` does, before anything is begun.
        """
        session = self._session(owner, conversation)
        if not asked.question.strip():
            raise InputError("The question is empty.")
        ticket = self._line.enter(owner)
        try:
            with telling_storage_faults():
                turn, position = self._turns.begin(conversation, session.store, asked)
        except BaseException:
            self._line.give_up(ticket)
            raise
        running = RunningTurn(turn.id, cancelled or threading.Event())
        run = TurnRun(
            store=session.store,
            runtime=self._runtime,
            emit=emit,
            budget=self._settings.tool_calls_per_turn,
            cache=session.cache,
            instructions=asked.instructions,
            cancelled=running.cancelled,
            consent=session.consent,
            scope=self._conversations.search_scope(conversation),
        )
        session.consent.hear(asked.question)

        def work() -> None:
            done = turn
            try:
                done = self._in_its_place(ticket, conversation, asked, turn, run, running)
            finally:
                self._running.pop(conversation, None)
                done = self._turns.end(conversation, position, done)
                for watcher in self._watchers:
                    watcher(done)
                emit(TurnDone(turn=done))

        self._running[conversation] = running
        running.begin(work)
        return running

    def _in_its_place(
        self, ticket: Ticket, conversation: str, asked: Asked, turn: Turn, run: TurnRun, running: RunningTurn
    ) -> Turn:
        """The turn as it ended; waits for a place first."""
        try:
            with self._line.place(ticket, running.cancelled, lambda position: run.emit(Queued(position=position))):
                return self._responder.respond(conversation, asked, turn, run, running.lines)
        except ToolCancelled:
            return ended(turn, run, STOPPED, "stopped")

    def _note_call(self, record: CallRecord) -> None:
        """Audit line: tool, status, seconds; never arguments, which may hold words of a patient."""
        log_call(record)
        known = record.name if record.name in self._registry.names() else "unknown"
        self._audit.write("tool", name=known, status=record.status, seconds=record.seconds)

    def _new_responder(self, settings: Settings, connect: Connect) -> Responder:
        return Responder(settings, connect, self._registry, self._checkpoints, self._folder)

    def _session(self, owner: str, conversation: str) -> Session:
        self._conversations.check(owner, conversation)
        return self._sessions.of(conversation)

    def _remove_files(self, conversation: str) -> None:
        self._checkpoints.keep_only(conversation, None)
        self._sessions.remove(conversation)

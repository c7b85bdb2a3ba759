"""The one object that the page and the command line talk to: conversations, files, questions."""

from __future__ import annotations

import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from agent.answering import build_answer
from agent.breaker import Breaker
from agent.checkpoints import Checkpoints
from agent.consent import Consent
from agent.conversations import ConversationInfo, Conversations
from agent.events import Event, Notice, TextDelta, TurnDone
from agent.eyes import Eyes
from agent.faults import STOPPED as STOPPED
from agent.faults import in_words, storage_words
from agent.graph import build_graph
from agent.ledger import ResultCache, TurnRun
from agent.models.endpoint import explain
from agent.models.lines import Lines, noted_in
from agent.shield import Shield, shielded_by
from core.audit import AuditLog
from core.errors import ConsiliumError, EndpointError, InputError, ToolCancelled
from core.settings import Settings
from core.store import SessionStore, remove_expired
from core.types import Artifact, CallRecord, Frozen, Turn
from tools.base import Tool
from tools.imaging.slices import draw_slice, slice_count
from tools.intake_worker import Limits, read_in_worker
from tools.registry import Registry
from tools.runtime import ToolRuntime, log_call
from tools.sample import load_sample

_POLL_S = 0.05
_SAMPLE_QUESTIONS = (
    "Which vertebrae are fractured and how badly?",
    "What does the literature say about grading vertebral fractures?",
    "Any fractures in the patient's history, and what medicines is she on?",
)
_SAMPLE_NOTE = (
    "ct1 is a real chest CT; ct2 is the same CT with one vertebra compressed on purpose (simulated); "
    "record1 is a synthetic patient who has nothing to do with the CT."
)
_HIDDEN = (
    "The model is not on this machine: names, dates, numbers and places that identify the patient were replaced before "
    "anything was sent to it, and put back in what it answered. What is left may still tell who it is."
)


class ModelStatus(Frozen):
    """What drives the agent now."""

    model: str
    endpoint: str
    reachable: bool
    detail: str


class SampleCase(Frozen):
    """The sample as attached, and what to ask of it."""

    artifacts: tuple[Artifact, ...]
    questions: tuple[str, ...]
    note: str


class Attached(Frozen):
    """Files taken in, and one message for each that could not be."""

    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ReadyModel:
    """A chat model that can be used now."""

    chat: BaseChatModel
    name: str
    endpoint: str = ""
    keeps_data_here: bool = True
    abilities: str = ""
    eyes: Eyes | None = None


@dataclass
class _Session:
    store: SessionStore
    cache: ResultCache = field(default_factory=dict)
    consent: Consent = field(default_factory=Consent)
    busy: threading.Lock = field(default_factory=threading.Lock)


class Assistant:
    """Conversations of many owners. `connect` gives the model, and raises `EndpointError` while it is away."""

    def __init__(self, settings: Settings, registry: Registry, connect: Callable[[], ReadyModel]) -> None:
        self._settings = settings
        self._registry = registry
        self._audit = AuditLog(settings.home)
        self._runtime = ToolRuntime(registry, self._note_call)
        self._connect = connect
        settings.home.mkdir(parents=True, exist_ok=True)
        self._folder = settings.home / "sessions"
        self._conversations = Conversations(settings.home / "conversations.sqlite")
        self._conversations.mark_interrupted()
        self._checkpoints = Checkpoints(settings.home / "checkpoints.sqlite")
        self._sessions: dict[str, _Session] = {}
        self._graphs: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}
        for conversation in self._conversations.expire(settings.session_days):
            self._remove_files(conversation)
        remove_expired(self._folder, settings.session_days)

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the databases."""
        self._conversations.close()
        self._checkpoints.close()

    def tools(self) -> tuple[Tool, ...]:
        """All registered tools."""
        return tuple(self._registry)

    def new_conversation(self, owner: str) -> str:
        """Open a conversation; returns its id."""
        return self._conversations.new(owner)

    def conversations(self, owner: str) -> tuple[ConversationInfo, ...]:
        """The owner's conversations, newest first."""
        return self._conversations.list(owner)

    def delete(self, owner: str, conversation: str) -> None:
        """Delete its turns, its memory and its files."""
        self._conversations.delete(owner, conversation)
        self._remove_files(conversation)
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
        taken = read_in_worker(paths, self.store(owner, conversation), limits)
        self._audit.write("attach", conversation=conversation, files=len(paths), taken=len(taken.artifacts))
        return Attached(artifacts=taken.artifacts, problems=taken.problems)

    def load_sample(self, owner: str, conversation: str) -> SampleCase:
        """Attach the sample case."""
        artifacts = load_sample(self.store(owner, conversation), self._settings.home / "cache")
        return SampleCase(artifacts=artifacts, questions=_SAMPLE_QUESTIONS, note=_SAMPLE_NOTE)

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

    def model_status(self) -> ModelStatus:
        """Whether the model can be used now."""
        try:
            model = self._connect()
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
        return ModelStatus(model=model.name, endpoint=model.endpoint, reachable=True, detail=detail)

    def ask(self, owner: str, conversation: str, question: str, cancelled: threading.Event | None = None) -> Iterator[Event]:
        """Answer a question; events as they happen, `TurnDone` last.

        Raises:
            UnknownConversation: it is not the owner's.
            InputError: the question is empty, or the last one is still being answered.
        """
        session = self._session(owner, conversation)
        if not question.strip():
            raise InputError("The question is empty.")
        if not session.busy.acquire(blocking=False):
            raise InputError("The last question is still being answered; wait for it or stop it.")
        try:
            yield from self._turn(owner, conversation, session, question, cancelled or threading.Event())
        except (OSError, sqlite3.OperationalError) as error:
            raise ConsiliumError(
                storage_words(error) or f"The conversation could not be stored ({type(error).__name__})."
            ) from error
        finally:
            session.busy.release()

    def _turn(
        self, owner: str, conversation: str, session: _Session, question: str, cancelled: threading.Event
    ) -> Iterator[Event]:
        session.store.touch()
        position = len(self._conversations.turns(owner, conversation))
        handles = tuple(artifact.handle for artifact in session.store.list())
        turn = Turn(id=str(position + 1), question=question, attached=handles, started=datetime.now(UTC))
        self._conversations.save(conversation, position, turn)
        events: queue.Queue[Event] = queue.Queue()
        run = TurnRun(
            store=session.store,
            runtime=self._runtime,
            emit=events.put,
            budget=self._settings.tool_calls_per_turn,
            cache=session.cache,
            cancelled=cancelled,
            consent=session.consent,
        )
        session.consent.hear(question)
        lines = Lines()
        worker = threading.Thread(target=self._work, args=(conversation, turn, run, lines), daemon=True, name="turn")
        worker.start()
        try:
            yield from self._until_done(events, run, turn, conversation, position)
        finally:
            cancelled.set()
            lines.cut()
            worker.join()  # the next turn must not meet this one's last steps

    def _until_done(
        self, events: queue.Queue[Event], run: TurnRun, turn: Turn, conversation: str, position: int
    ) -> Iterator[Event]:
        while True:
            try:
                event = events.get(timeout=_POLL_S)
            except queue.Empty:
                if not run.cancelled.is_set():
                    continue
                event = TurnDone(turn=_ended(turn, run, error=STOPPED))
            if isinstance(event, TurnDone):
                self._conversations.save(conversation, position, event.turn)
                self._note_turn(conversation, event.turn)
                yield event
                return
            yield event

    def _note_call(self, record: CallRecord) -> None:
        """Audit line: tool, status, seconds; never arguments, which may hold words of a patient."""
        log_call(record)
        known = record.name if record.name in self._registry.names() else "unknown"
        self._audit.write("tool", name=known, status=record.status, seconds=record.seconds)

    def _note_turn(self, conversation: str, turn: Turn) -> None:
        answer = turn.answer
        ended = "error" if turn.error or answer is None else "abstained" if answer.abstained else "answered"
        elsewhere = answer is not None and answer.provenance is not None and bool(answer.provenance.endpoint)
        digest = self._audit.digest(turn.model_dump_json().encode())
        self._audit.write("turn", conversation=conversation, ended=ended, endpoint=int(elsewhere), digest=digest)

    def _work(self, conversation: str, turn: Turn, run: TurnRun, lines: Lines) -> None:
        """Run the graph in a thread of its own; a turn that fails leaves the memory as it was."""
        before = self._checkpoints.latest(conversation)
        endpoint = ""
        try:
            model = self._connect()
            endpoint = model.endpoint
            if not model.keeps_data_here:
                run.emit(Notice(level="info", text=_HIDDEN))
            breaker = self._breakers.setdefault(endpoint, Breaker()) if endpoint else None
            if breaker is not None:
                breaker.check(endpoint)
            with noted_in(lines), shielded_by(self._shield(conversation, run.store)):
                message = self._asked(breaker, conversation, turn, run, model)
            answer = build_answer(
                message,
                run,
                model=model.name,
                endpoint=endpoint,
                strict=self._settings.strict,
                started=turn.started,
                seconds=(datetime.now(UTC) - turn.started).total_seconds(),
            )
            self._checkpoints.keep_only(conversation, self._checkpoints.latest(conversation))
            run.emit(TurnDone(turn=_ended(turn, run).model_copy(update={"answer": answer})))
        except Exception as error:
            self._checkpoints.keep_only(conversation, before)
            text = STOPPED if run.cancelled.is_set() else in_words(error, endpoint)
            run.emit(Notice(level="error", text=text))
            run.emit(TurnDone(turn=_ended(turn, run, error=text)))

    def _asked(self, breaker: Breaker | None, conversation: str, turn: Turn, run: TurnRun, model: ReadyModel) -> AIMessage:
        """Converse, and tell the breaker whether the endpoint failed; any other fault says nothing of it."""
        try:
            message = self._converse(conversation, turn, run, model)
        except Exception as error:
            if breaker is not None:
                failed = not run.cancelled.is_set() and explain(error, model.endpoint) is not None
                breaker.tell(ok=False) if failed else breaker.forget()
            raise
        if breaker is not None:
            breaker.tell(ok=True)
        return message

    def _converse(self, conversation: str, turn: Turn, run: TurnRun, model: ReadyModel) -> AIMessage:
        artifacts = [artifact.model_dump(mode="json") for artifact in run.store.list()]
        question = HumanMessage(turn.question, additional_kwargs={"artifacts": artifacts})
        config = {
            "configurable": {"thread_id": conversation},
            "recursion_limit": 2 * self._settings.tool_calls_per_turn + 8,
        }
        last: AIMessage | None = None
        for mode, payload in self._graph(model).stream(
            {"messages": [question]},
            config,
            context=run,
            stream_mode=["messages", "updates"],
            durability="exit",
        ):
            if run.cancelled.is_set():
                raise ToolCancelled(STOPPED)
            if mode == "messages":
                _emit_text(payload[0], run)
            elif payload.get("model"):
                last = payload["model"]["messages"][-1]
        if last is None or not (str(last.text).strip() or last.additional_kwargs.get("abstained")):
            raise ConsiliumError("The model gave an empty answer. Ask again, or in other words.")
        if model.endpoint:
            _check_ending(last, run, model.endpoint)
        return last

    def _shield(self, conversation: str, store: SessionStore) -> Shield:
        """The conversation's mapping, which knows what its records say of the patient."""
        shield = Shield(self._folder / conversation / "identifiers.json")
        for artifact in store.list():
            if artifact.kind == "record":
                shield.learn(store.path(artifact.handle))
        return shield

    def _graph(self, model: ReadyModel) -> Any:
        with self._lock:
            key = f"{model.endpoint}|{model.name}"
            if key not in self._graphs:
                self._graphs[key] = build_graph(model.chat, self._registry, self._checkpoints.saver, model.eyes)
            return self._graphs[key]

    def _session(self, owner: str, conversation: str) -> _Session:
        self._conversations.check(owner, conversation)
        with self._lock:
            if conversation not in self._sessions:
                settings = self._settings
                folder = self._folder / conversation
                store = SessionStore(folder, settings.max_file_mb, settings.max_session_mb)
                self._sessions[conversation] = _Session(store)
            return self._sessions[conversation]

    def _remove_files(self, conversation: str) -> None:
        with self._lock:
            self._sessions.pop(conversation, None)
        self._checkpoints.keep_only(conversation, None)
        shutil.rmtree(self._folder / conversation, ignore_errors=True)


def _check_ending(message: AIMessage, run: TurnRun, endpoint: str) -> None:
    """A stream that ends without saying why was broken off, however politely."""
    reason = message.response_metadata.get("finish_reason")
    if reason is None:
        raise EndpointError(
            f"The model endpoint {endpoint} broke off before the answer was complete. The conversation is kept; ask again."
        )
    if reason == "length":
        run.warnings.append("The model's answer was cut at the most tokens it may write (setting answer_tokens).")


def _emit_text(chunk: object, run: TurnRun) -> None:
    if isinstance(chunk, (AIMessageChunk, AIMessage)) and not chunk.tool_calls:
        text = str(chunk.text)
        if text:
            run.emit(TextDelta(text=text))


def _ended(turn: Turn, run: TurnRun, error: str = "") -> Turn:
    return turn.model_copy(
        update={
            "evidence": tuple(run.evidence),
            "calls": tuple(run.calls),
            "artifacts": tuple(run.artifacts),
            "error": error,
        }
    )

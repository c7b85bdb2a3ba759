"""Runs the graph for one turn: the model connected, what identifies the patient replaced, the breaker told how it went."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from agent.answering import build_answer
from agent.breaker import Breaker
from agent.checkpoints import Checkpoints
from agent.ending import STOPPED, check_ending, emit_text, ended, in_words
from agent.events import Notice
from agent.graph import build_graph
from agent.ledger import TurnRun
from agent.models.endpoint import is_down
from agent.models.lines import Lines, noted_in
from agent.ready_model import Connect, ReadyModel
from agent.shield import Shield, shielded_by
from agent.turns import Asked
from core.errors import EndpointError, ToolCancelled
from core.settings import Settings
from core.store import SessionStore
from core.types import Turn
from tools.registry import Registry

_HIDDEN = (
    "The model is not on this machine: names, dates, numbers and places that identify the patient were replaced before "
    "anything was sent to it, and put back in what it answered. What is left may still tell who it is."
)


_START_S = 0.25


class Responder:
    """Answers turns under one set of settings; other settings have a responder of their own."""

    def __init__(
        self, settings: Settings, connect: Connect, registry: Registry, checkpoints: Checkpoints, sessions: Path
    ) -> None:
        """`sessions`: the folder that holds a folder per conversation."""
        self.settings = settings
        self.connect = connect
        self._registry = registry
        self._checkpoints = checkpoints
        self._folder = sessions
        self._graphs: dict[str, Any] = {}
        self._breakers: dict[str, Breaker] = {}
        self._lock = threading.Lock()
        self._starting = threading.Semaphore()

    def respond(self, conversation: str, asked: Asked, turn: Turn, run: TurnRun, lines: Lines) -> Turn:
        """The turn as it ended; one that fails leaves the conversation's memory as it was."""
        before = self._checkpoints.latest(conversation)
        endpoint = ""
        try:
            model = self.connect()
            endpoint = model.endpoint
            if not model.keeps_data_here:
                run.emit(Notice(level="info", text=_HIDDEN))
            breaker = self._breakers.setdefault(endpoint, Breaker()) if endpoint else None
            if breaker is not None:
                breaker.check(endpoint)
            with noted_in(lines), shielded_by(self._shield(conversation, asked, run.store)), self._start(model, lines):
                message = self._asked(breaker, conversation, asked, run, model)
            answer = build_answer(
                message,
                run,
                model=model.name,
                endpoint=endpoint,
                strict=self.settings.strict,
                started=turn.started,
                seconds=(datetime.now(UTC) - turn.started).total_seconds(),
            )
            self._checkpoints.keep_only(conversation, self._checkpoints.latest(conversation))
            return ended(turn, run).model_copy(update={"answer": answer})
        except Exception as error:  # whatever it was, the turn ends with its words and the next one can be asked
            self._checkpoints.keep_only(conversation, before)
            text, kind = in_words(ToolCancelled(STOPPED) if run.cancelled.is_set() else error, endpoint)
            run.emit(Notice(level="error", text=text))
            return ended(turn, run, text, kind)

    @contextmanager
    def _start(self, model: ReadyModel, lines: Lines) -> Iterator[None]:
        """Turns that start at one moment send their first request one after the other.

        They share one interpreter: side by side, the first would be as late as the last. One that takes long before it
        sends anything does not hold up the others.
        """
        if not model.endpoint or not self._starting.acquire(timeout=_START_S):
            yield
            return
        held = threading.Lock()

        def let_go() -> None:
            if held.acquire(blocking=False):
                self._starting.release()

        lines.on_sent = let_go
        try:
            yield
        finally:
            let_go()

    def _asked(self, breaker: Breaker | None, conversation: str, asked: Asked, run: TurnRun, model: ReadyModel) -> AIMessage:
        """Converse, and tell the breaker whether the endpoint failed; any other fault says nothing of it."""
        try:
            message = self._converse(conversation, asked, run, model)
        except Exception as error:
            if breaker is not None:
                failed = not run.cancelled.is_set() and is_down(error, model.endpoint)
                breaker.tell(ok=False) if failed else breaker.forget()
            raise
        if breaker is not None:
            breaker.tell(ok=True)
        return message

    def _converse(self, conversation: str, asked: Asked, run: TurnRun, model: ReadyModel) -> AIMessage:
        artifacts = [artifact.model_dump(mode="json") for artifact in run.store.list()]
        question = HumanMessage(asked.question, additional_kwargs={"artifacts": artifacts})
        config = {
            "configurable": {"thread_id": conversation},
            "recursion_limit": 2 * self.settings.tool_calls_per_turn + 8,
        }
        last: AIMessage | None = None
        for mode, payload in self._graph(model).stream(
            {"messages": [*asked.earlier_messages(), question]},
            config,
            context=run,
            stream_mode=["messages", "updates"],
            durability="exit",
        ):
            if run.cancelled.is_set():
                raise ToolCancelled(STOPPED)
            if mode == "messages":
                emit_text(payload[0], run)
            elif payload.get("model"):
                last = payload["model"]["messages"][-1]
        if last is None or not (str(last.text).strip() or last.additional_kwargs.get("abstained")):
            raise EndpointError("The model gave an empty answer. Ask again, or in other words.")
        if model.endpoint:
            check_ending(last, run, model.endpoint)
        return last

    def _shield(self, conversation: str, asked: Asked, store: SessionStore) -> Shield:
        """The conversation's mapping, which knows what its records say of the patient."""
        shield = Shield(self._folder / conversation / "identifiers.json")
        shield.distrust(asked.instructions)
        for artifact in store.list():
            if artifact.kind == "record":
                shield.learn(store.path(artifact.handle))
        return shield

    def _graph(self, model: ReadyModel) -> Any:
        with self._lock:
            key = f"{model.endpoint}|{model.name}|{id(model.chat)}"
            if key not in self._graphs:
                self._graphs[key] = build_graph(model.chat, self._registry, self._checkpoints.saver, model.served)
            return self._graphs[key]

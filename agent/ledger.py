"""What one turn collects: evidence numbered across its tools, calls, artifacts, tables."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from agent.consent import Consent
from agent.events import Event, Notice, StepFinished, StepProgress, StepStarted, TextDelta
from core.store import SessionStore
from core.types import (
    Artifact,
    CallRecord,
    Choice,
    Evidence,
    ModelUse,
    SearchScope,
    StrategyUse,
    Table,
    TableRow,
    ToolProvenance,
    ToolResult,
)
from tools.runtime import CallRequest, ToolRuntime

ResultCache = dict[str, ToolResult]


@dataclass
class TurnRun:
    """The running turn. The graph carries it as context, so that nothing of it is checkpointed."""

    store: SessionStore
    runtime: ToolRuntime
    emit: Callable[[Event], None]
    budget: int
    cache: ResultCache
    refused_tools: Mapping[str, str] = field(default_factory=dict)
    instructions: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    consent: Consent = field(default_factory=Consent)
    scope: SearchScope = field(default_factory=SearchScope)
    evidence: list[Evidence] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    provenance: list[ToolProvenance] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    """How often the model was asked by the agent's loop."""
    strategy: StrategyUse | None = None
    choice: Choice | None = None
    use: ModelUse | None = None
    pictures: dict[Hashable, str] = field(default_factory=dict)
    """Drawn for the model in this turn, so that each is drawn once."""
    left_out: str = ""
    """What of the conversation did not fit into the model's context."""
    _shown: Callable[[Event], None] | None = None
    _queue: list[str] = field(default_factory=list)
    _turn_of: threading.Condition = field(default_factory=threading.Condition)

    def hush(self) -> Callable[[Event], None]:
        """From now on the model's own words are a draft that is not shown; gives the way to show what replaces it."""
        if self._shown is None:
            self._shown = told = self.emit
            self.emit = lambda event: None if isinstance(event, TextDelta) else told(event)
        return self._shown

    def used(self, prompt_tokens: int, completion_tokens: int, *, estimated: bool, calls: int = 0) -> None:
        """Add to what was asked of the model."""
        before = self.use or ModelUse(calls=0, prompt_tokens=0, completion_tokens=0)
        self.use = ModelUse(
            calls=before.calls + calls,
            prompt_tokens=before.prompt_tokens + prompt_tokens,
            completion_tokens=before.completion_tokens + completion_tokens,
            estimated=before.estimated or estimated,
        )

    def expect(self, call_ids: Sequence[str]) -> None:
        """The model named these calls, in this order."""
        with self._turn_of:
            self._queue = list(call_ids)

    def call_in_order(self, call_id: str, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Run a call when those named before it are done: LangGraph starts them at once, evidence is numbered in order."""
        with self._turn_of:
            while call_id in self._queue and self._queue[0] != call_id:
                self._turn_of.wait()
        try:
            return self.call(call_id, name, arguments)
        finally:
            with self._turn_of:
                if call_id in self._queue:
                    self._queue.remove(call_id)
                self._turn_of.notify_all()

    def call(self, call_id: str, name: str, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Run one tool call, or take it from the session's cache; its evidence comes back numbered."""
        self.emit(StepStarted(call_id=call_id, tool=name, arguments=dict(arguments)))
        result, record = self._run(call_id, name, arguments)
        result = self._number(result)
        self.calls.append(record)
        self.artifacts += result.artifacts
        self.provenance.append(result.provenance)
        self.warnings += [text for text in result.warnings if text not in self.warnings]
        if result.searched:
            self.searched.append(result.searched)
        self.emit(StepFinished(call=record))
        return result

    def _run(self, call_id: str, name: str, arguments: Mapping[str, JsonValue]) -> tuple[ToolResult, CallRecord]:
        if len(self.calls) >= self.budget:
            text = f"The budget of {self.budget} tool calls for one question is used up. Answer with what there is."
            if len(self.calls) == self.budget:
                self.emit(Notice(level="warning", text=text))
            return self._refuse(call_id, name, arguments, text)
        if name in self.refused_tools:
            return self._refuse(call_id, name, arguments, self.refused_tools[name])
        if self._has_effect(name) and not self.consent.take(name, arguments):
            code = self.consent.ask(name, arguments)
            told = json.dumps(dict(arguments), ensure_ascii=False)
            self.emit(
                Notice(
                    level="warning", text=f"The model wants to run {name} with {told}. To allow it, answer: confirm {code}"
                )
            )
            return self._refuse(
                call_id, name, arguments, f"{name} has an effect and waits for the person to confirm it. Tell them so."
            )
        key = self._key(name, arguments)
        cached = None if self._has_effect(name) else self.cache.get(key)
        if cached is not None:
            record = CallRecord(
                id=call_id, name=name, arguments=dict(arguments), status="done", seconds=0.0,
                summary=cached.summary, warnings=cached.warnings,
            )  # fmt: skip
            return cached, record
        outcome = self.runtime.call(
            CallRequest(
                name, arguments, call_id, self.store, self._progress_of(call_id, name), self.cancelled, self.scope
            )
        )  # fmt: skip
        if outcome.result.status == "done" and not self._has_effect(name):
            self.cache[key] = outcome.result
        return outcome.result, outcome.record

    def _has_effect(self, name: str) -> bool:
        registry = self.runtime.registry
        return name in registry.names() and registry.get(name).spec.effect != "read"

    def _refuse(
        self, call_id: str, name: str, arguments: Mapping[str, JsonValue], text: str
    ) -> tuple[ToolResult, CallRecord]:
        provenance = ToolProvenance(tool=name, version="", parameters=dict(arguments))
        result = ToolResult(status="refused", summary=text, provenance=provenance)
        record = CallRecord(id=call_id, name=name, arguments=dict(arguments), status="refused", seconds=0.0, summary=text)
        return result, record

    def _progress_of(self, call_id: str, name: str) -> Callable[[float, str], None]:
        def report(fraction: float, message: str) -> None:
            self.emit(StepProgress(call_id=call_id, tool=name, fraction=fraction, message=message))

        return report

    def _key(self, name: str, arguments: Mapping[str, JsonValue]) -> str:
        """The same call on the same files of this session gives the same result."""
        files = ",".join(f"{artifact.handle}:{artifact.sha256[:12]}" for artifact in self.store.list())
        return f"{name}|{sorted(arguments.items(), key=lambda item: item[0])!r}|{files if arguments else ''}|{self.scope!r}"

    def _number(self, result: ToolResult) -> ToolResult:
        offset = len(self.evidence)
        numbered = tuple(
            item.model_copy(update={"id": str(offset + position)}) for position, item in enumerate(result.evidence, start=1)
        )
        self.evidence += numbered
        self.tables += [_rebase(table, offset) for table in result.tables]
        return result.model_copy(update={"evidence": numbered})


def _rebase(table: Table, offset: int) -> Table:
    rows = tuple(
        TableRow(cells=row.cells, evidence=tuple(offset + position for position in row.evidence)) for row in table.rows
    )
    return table.model_copy(update={"rows": rows})

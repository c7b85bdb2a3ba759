"""What keeps a patient's identifiers here when the model is elsewhere.

Everything that would go to an endpoint elsewhere, the question, earlier turns, tool results and the arguments of calls,
is de-identified first. What comes back, text and tool calls, gets the real words again before anyone sees it. The
mapping is the conversation's own and stays in its folder.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.constants import TAG_NOSTREAM
from pydantic import ConfigDict

from core.errors import FileError
from tools.text.deidentify.fhir import known_identifiers
from tools.text.deidentify.find import find_identifiers
from tools.text.deidentify.mapping import Mapping as Words
from tools.text.deidentify.spans import Category

_QUIETLY: RunnableConfig = {"tags": [TAG_NOSTREAM]}
_HELD_BACK = 48
"""Characters of a stream that wait for what follows: a placeholder or a date may still be coming."""


class Shield:
    """One conversation's mapping. `known` are identifiers its records state. Safe to use from several threads."""

    def __init__(self, path: Path | None = None, known: Mapping[str, Category] | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._words = self._load()
        self.known = dict(known or {})
        self._done: dict[str, str] = {}
        self._distrusted: list[str] = []

    def learn(self, record: Path) -> None:
        """Take in what a FHIR file states: names, numbers, addresses. One that is no JSON teaches nothing."""
        try:
            text = record.read_text(encoding="utf-8-sig")
            rows = [text] if record.suffix == ".json" else [line for line in text.splitlines() if line.strip()]
            for row in rows:
                self.known |= known_identifiers(json.loads(row))
        except (OSError, ValueError, RecursionError):
            return

    def hide(self, text: str) -> str:
        """The text without identifiers."""
        if not text.strip():
            return text
        with self._lock:
            if text in self._done:
                return self._done[text]
            hidden = self._words.replace(text, find_identifiers(text, self.known))
            self._done[text] = hidden
            if self._path is not None and self._path.parent.is_dir():
                self._words.save(self._path)
        return hidden

    def distrust(self, text: str) -> None:
        """Words of others that stand within our own instructions: there they are de-identified as a question is."""
        if text.strip():
            self._distrusted.append(text)

    def hide_known(self, text: str) -> str:
        """Only what the records state and what others said: for our own instructions."""
        for words in self._distrusted:
            text = text.replace(words, self.hide(words))
        with self._lock:
            spans = [span for span in find_identifiers(text, self.known) if span.text in self.known]
            return self._words.replace(text, spans)

    def show(self, text: str) -> str:
        """The way back."""
        with self._lock:
            return self._words.restore(text)

    def _load(self) -> Words:
        if self._path is not None and self._path.exists():
            try:
                return Words.load(self._path)
            except FileError:
                pass  # half written by an older version: a new mapping hides as well
        return Words()


_current: ContextVar[Shield | None] = ContextVar("shield", default=None)


@contextmanager
def shielded_by(shield: Shield) -> Iterator[None]:
    """Requests made within this context use this conversation's mapping."""
    token = _current.set(shield)
    try:
        yield
    finally:
        _current.reset(token)


def current_shield() -> Shield:
    """The mapping of the conversation that runs in this context, else a new one for this request alone."""
    return _current.get() or Shield()


class ShieldedChatModel(BaseChatModel):
    """Any chat model, with nothing in its requests that says who the patient is."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: Runnable[Any, Any]
    binder: BaseChatModel

    @classmethod
    def over(cls, model: BaseChatModel) -> ShieldedChatModel:
        """Put the shield before a model."""
        return cls(model=model, binder=model)

    @property
    def _llm_type(self) -> str:
        return "consilium-shielded"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ShieldedChatModel:
        """The same, with tools."""
        return self.model_copy(update={"model": self.binder.bind_tools(tools, **kwargs)})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        shield = current_shield()
        reply = self.model.invoke(hidden(messages, shield), _QUIETLY, stop=stop, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=_shown(reply, shield))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        shield = current_shield()
        waiting = ""
        calls: AIMessageChunk | None = None
        for piece in self.model.stream(hidden(messages, shield), _QUIETLY, stop=stop, **kwargs):
            if piece.tool_call_chunks or piece.tool_calls:
                calls = piece if calls is None else calls + piece
                if piece.response_metadata or piece.usage_metadata:
                    yield ChatGenerationChunk(message=_told(piece, ""))
                continue
            waiting += str(piece.text)
            cut = _safe(waiting)
            if cut or piece.response_metadata or piece.usage_metadata:
                text, waiting = shield.show(waiting[:cut]), waiting[cut:]
                yield ChatGenerationChunk(message=_told(piece, text))
        if waiting:
            yield ChatGenerationChunk(message=AIMessageChunk(content=shield.show(waiting)))
        if calls is not None:
            shown = _shown(AIMessage("", tool_calls=calls.tool_calls, invalid_tool_calls=calls.invalid_tool_calls), shield)
            yield ChatGenerationChunk(message=_chunk_of(shown))


def hidden(messages: Sequence[BaseMessage], shield: Shield) -> list[BaseMessage]:
    """Messages as they may leave: no identifier in text, in calls or in what a tool returned; no artifacts."""
    return [_hidden(message, shield) for message in messages]


def hidden_protocol(messages: Sequence[Mapping[str, Any]], shield: Shield) -> list[dict[str, Any]]:
    """The same for messages in the words of the OpenAI protocol; arguments of calls are JSON in a string there."""
    return [_hidden_one(message, shield) for message in messages]


def _hidden_one(message: Mapping[str, Any], shield: Shield) -> dict[str, Any]:
    hide = shield.hide_known if message.get("role") == "system" else shield.hide
    out = {**message, "content": _content(message.get("content") or "", hide)}
    if message.get("tool_calls"):
        out["tool_calls"] = [_hidden_call(call, shield) for call in message["tool_calls"]]
    return out


def _hidden_call(call: Mapping[str, Any], shield: Shield) -> dict[str, Any]:
    try:
        arguments = json.dumps(_walk(json.loads(call["function"]["arguments"]), shield.hide))
    except ValueError:
        arguments = shield.hide(call["function"]["arguments"])
    return {**call, "function": {**call["function"], "arguments": arguments}}


def _hidden(message: BaseMessage, shield: Shield) -> BaseMessage:
    hide = shield.hide_known if isinstance(message, SystemMessage) else shield.hide
    changes: dict[str, Any] = {"content": _content(message.content, hide), "additional_kwargs": {}}
    if isinstance(message, AIMessage):
        changes["tool_calls"] = [{**call, "args": _walk(call["args"], shield.hide)} for call in message.tool_calls]
        changes["invalid_tool_calls"] = []
    if isinstance(message, ToolMessage):
        changes["artifact"] = None
    return message.model_copy(update=changes)


def _content(content: Any, hide: Any) -> Any:
    if isinstance(content, str):
        return hide(content)
    return [{**part, "text": hide(part["text"])} if isinstance(part, dict) and "text" in part else part for part in content]


def _walk(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _walk(item, change) for name, item in value.items()}
    return [_walk(item, change) for item in value] if isinstance(value, list) else value


def _shown(message: AIMessage, shield: Shield) -> AIMessage:
    calls = [{**call, "args": _walk(call["args"], shield.show)} for call in message.tool_calls]
    bad = [{**call, "args": shield.show(call["args"] or "")} for call in message.invalid_tool_calls]
    shown = {"content": shield.show(str(message.text)), "tool_calls": calls, "invalid_tool_calls": bad}
    return message.model_copy(update=shown)


def _told(piece: AIMessageChunk, text: str) -> AIMessageChunk:
    """A piece with these words, and with what it says of the reply: why it ended, how many tokens it took."""
    return AIMessageChunk(
        content=text, response_metadata=piece.response_metadata, usage_metadata=piece.usage_metadata, id=piece.id
    )


def _chunk_of(message: AIMessage) -> AIMessageChunk:
    return AIMessageChunk(content="", tool_calls=message.tool_calls, invalid_tool_calls=message.invalid_tool_calls)


def _safe(text: str) -> int:
    """How much of a stream can be shown: up to a blank well before its end, outside brackets."""
    limit = len(text) - _HELD_BACK
    if limit <= 0:
        return 0
    bracket = text.rfind("[", 0, limit)
    if bracket >= 0 and "]" not in text[bracket:limit]:
        limit = bracket
    ends = [match.end() for match in re.finditer(r"(?<=[.?!;:])\s|\n", text[:limit])]
    return ends[-1] if ends else 0

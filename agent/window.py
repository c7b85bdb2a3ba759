"""Keeps a request within the model's context: whole messages are left out, the oldest tool results first, and it is said.

The order in which things go: results of tools from the oldest on (but the newest one), then earlier turns from the oldest
on, then pictures from the last on. The question, the instructions and the newest result are never left out: when these
alone do not fit, the request is refused with the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)

from agent.ledger import TurnRun
from agent.models.tokens import estimate_messages, estimate_text, most_tokens, pictures_in, text_of
from core.errors import InputError

Counter = Callable[[Sequence[dict[str, Any]], Sequence[dict[str, Any]]], int | None]
"""Tokens of messages and tools without their pictures, as the endpoint counts them; None when it cannot tell."""
LEFT_OUT = "(This result was left out: the model's context is full.)"


@dataclass(frozen=True)
class Window:
    """`context` tokens hold the request and its reply of up to `answer_tokens`; a picture takes up to `image_tokens`."""

    context: int
    answer_tokens: int
    image_tokens: int
    count: Counter = lambda messages, tools: None

    @property
    def room(self) -> int:
        """For the request."""
        return self.context - min(self.answer_tokens, self.context // 2)

    def fitted(
        self, system: str, messages: Sequence[AnyMessage], tools: Sequence[dict[str, Any]], run: TurnRun
    ) -> list[AnyMessage]:
        """The messages that fit, in order; what was left out is noted in the run. `tools` are as the protocol has them.

        Raises:
            InputError: what cannot be left out does not fit; the message has the figures.
        """
        kept, left = list(messages), _LeftOut()
        while (needed := self._needed(system, kept, tools)) > self.room:
            shorter = _without_oldest_result(kept, left) or _without_oldest_turn(kept, left) or _without_picture(kept, left)
            if shorter is None:
                raise InputError(
                    f"The question and what it rests on need about {needed} tokens; the model's context of {self.context} "
                    f"leaves {self.room} beside the answer. Ask for less at a time, attach less, or serve the model with "
                    "a longer context."
                )
            kept = shorter
        if left:
            run.left_out = f"The model's context of {self.context} tokens was full: {left.told()} left out of what it read."
        return kept

    def _needed(self, system: str, messages: Sequence[AnyMessage], tools: Sequence[dict[str, Any]]) -> int:
        protocol = as_protocol([SystemMessage(system), *messages])
        pictures = self.image_tokens * sum(pictures_in(message) for message in protocol)
        words = sum(most_tokens(text_of(message)) + 16 for message in protocol) + most_tokens(repr(tools))
        if words + pictures <= self.room:  # not even the worst vocabulary needs more: nothing to ask
            return words + pictures
        counted = self.count([_without_pictures(message) for message in protocol], tools)
        if counted is None:
            counted = estimate_messages(protocol) + estimate_text(repr(tools))
        return counted + pictures


class _LeftOut:
    def __init__(self) -> None:
        self.results: list[str] = []
        self.turns = 0
        self.pictures = 0

    def __bool__(self) -> bool:
        return bool(self.results or self.turns or self.pictures)

    def told(self) -> str:
        parts = []
        if self.results:
            names = ", ".join(dict.fromkeys(self.results))
            parts.append(f"{len(self.results)} older tool result{'s' * (len(self.results) > 1)} ({names})")
        if self.turns:
            parts.append(f"{self.turns} earlier question{'s' * (self.turns > 1)} with what was answered")
        if self.pictures:
            parts.append(f"{self.pictures} picture{'s' * (self.pictures > 1)}")
        many = len(parts) > 1 or len(self.results) + self.turns + self.pictures > 1
        return f"{' and '.join(parts)} {'were' if many else 'was'}"


def as_protocol(messages: Sequence[AnyMessage]) -> list[dict[str, Any]]:
    """Messages as they go over the wire."""
    converted = convert_to_openai_messages(list(messages))
    return converted if isinstance(converted, list) else [converted]


def _without_pictures(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "content": text_of({"content": message.get("content")})} if pictures_in(message) else message


def _without_oldest_result(messages: list[AnyMessage], left: _LeftOut) -> list[AnyMessage] | None:
    """A call and its result belong together in the protocol, so the result's words go and its place stays."""
    places = [i for i, message in enumerate(messages) if isinstance(message, ToolMessage)]
    for place in places[:-1]:
        message = messages[place]
        if isinstance(message, ToolMessage) and message.content != LEFT_OUT:
            left.results.append(message.name or "a tool")
            return [*messages[:place], message.model_copy(update={"content": LEFT_OUT}), *messages[place + 1 :]]
    return None


def _without_oldest_turn(messages: list[AnyMessage], left: _LeftOut) -> list[AnyMessage] | None:
    starts = [i for i, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if len(starts) < 2:
        return None
    left.turns += 1
    return [*messages[: starts[0]], *messages[starts[1] :]]


def _without_picture(messages: list[AnyMessage], left: _LeftOut) -> list[AnyMessage] | None:
    for place in range(len(messages) - 1, -1, -1):
        content = messages[place].content
        if not isinstance(content, list):
            continue
        shown = [i for i, part in enumerate(content) if isinstance(part, dict) and part.get("type") == "image_url"]
        if shown:
            left.pictures += 1
            start = shown[-1] - 1 if shown[-1] and _is_text(content[shown[-1] - 1]) and shown[-1] > 1 else shown[-1]
            rest = [*content[:start], *content[shown[-1] + 1 :]]
            return [*messages[:place], messages[place].model_copy(update={"content": rest}), *messages[place + 1 :]]
    return None


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "text"


def told_use(message: AIMessage, sent: Sequence[AnyMessage], image_tokens: int) -> tuple[int, int, bool]:
    """Tokens read and written for a message: as the endpoint told, else estimated."""
    usage = message.usage_metadata
    if usage is not None:
        return usage["input_tokens"], usage["output_tokens"], False
    written = estimate_text(text_of(as_protocol([message])[0]))
    return estimate_messages(as_protocol(sent), image_tokens), written, True

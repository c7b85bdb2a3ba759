"""The default model: plans by routing and answers by quoting. It generates nothing.

As a LangChain chat model it takes the place of a served one: the first call of a turn gives tool calls or a reply, the
call after the tools gives the answer, whose every sentence is a statement or a quote of this turn's evidence.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, PrivateAttr

from agent.compose import compose
from agent.film_plans import HEALTHY
from agent.models import replies
from agent.planning import make_plan
from agent.plans import Plan, PlannedCall, Situation, following
from agent.routing import Router
from core.ports import Encoder
from core.types import Artifact, ToolResult
from tools.registry import Registry


class EmbeddedChatModel(BaseChatModel):
    """Routes, fills slots, quotes. Needs the tools' registry (their examples) and a sentence encoder."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    registry: Registry
    encoder: Any
    _router: Router = PrivateAttr()

    def __init__(self, registry: Registry, encoder: Encoder) -> None:
        super().__init__(registry=registry, encoder=encoder)
        self._router = Router(registry, encoder)

    @property
    def _llm_type(self) -> str:
        return "consilium-embedded"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> EmbeddedChatModel:
        """The registry already says which tools there are."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self._next(messages)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        start = max(i for i, message in enumerate(messages) if isinstance(message, HumanMessage))
        asked = messages[start]
        results = [
            ToolResult.model_validate(message.artifact)
            for message in messages[start:]
            if isinstance(message, ToolMessage) and message.artifact
        ]
        question = str(asked.text)
        notice = f"{replies.EMERGENCY} " if replies.is_emergency(question) else ""
        artifacts = tuple(Artifact.model_validate(item) for item in asked.additional_kwargs.get("artifacts", ()))
        situation = Situation(question, artifacts, _earlier(messages[:start]))
        due = following(make_plan(situation, self._router), results) if _may_follow(results) else ()
        if due:
            return _calls(Plan(calls=due))
        if results:
            draft = compose(results)
            notice += "" if draft.abstained else _not_ours(question)
            return _final(notice + draft.text, draft.why, abstained=draft.abstained)
        plan = make_plan(situation, self._router)
        if plan.calls:
            return _calls(plan)
        if notice:
            return _final(notice.strip(), "Someone may need help now.", abstained=True)
        return _final(plan.reply, plan.why, abstained=bool(plan.why))


def _not_ours(question: str) -> str:
    """What the answer does not say though it was asked for: a dose, a decision."""
    if replies.asks_for_dose(question):
        return f"{replies.NO_DOSE} "
    return f"{replies.NO_DECISION} " if replies.asks_for_decision(question) else ""


def _may_follow(results: Sequence[ToolResult]) -> bool:
    """Only a painted spine has calls that wait for it: other turns are not planned a second time."""
    return any(result.provenance.tool == HEALTHY for result in results)


def _calls(plan: Plan) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[
            {"name": call.tool, "args": call.arguments, "id": f"call-{uuid.uuid4().hex[:8]}", "type": "tool_call"}
            for call in plan.calls
        ],
    )


def _final(text: str, why: str, *, abstained: bool) -> AIMessage:
    return AIMessage(text, additional_kwargs={"abstained": abstained, "why": why})


def _earlier(messages: Sequence[BaseMessage]) -> tuple[PlannedCall, ...]:
    return tuple(
        PlannedCall(call["name"], dict(call["args"]))
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    )

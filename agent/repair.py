"""Messages that a model can take up: every tool call has its result, every result its call."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

LOST = "status: failed\nThis call was interrupted and has no result. Call it again if it is still needed."


def repaired(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The same messages; a call that was left without a result gets one that says so, a result without its call goes.

    Endpoints refuse a history with unanswered calls (langgraph#4289), which would end the conversation for good.
    """
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    out: list[AnyMessage] = []
    asked: set[str] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in asked:
                out.append(message)
            continue
        out.append(message)
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                asked.add(call["id"] or "")
                if (call["id"] or "") not in answered:
                    out.append(ToolMessage(LOST, tool_call_id=call["id"] or "", name=call["name"], status="error"))
    return out

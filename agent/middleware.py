"""What surrounds every model and tool call of a turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

import prompts
from agent.adapters import as_message
from agent.eyes import Eyes, tell_withheld, with_pictures
from agent.ledger import TurnRun
from agent.repair import repaired
from core.errors import ToolCancelled
from core.plain import as_data

NOTHING_FOUND = "I found nothing on this."
"""What a served model says when its tools found nothing; the assembler of answers looks for it."""


class Consult(AgentMiddleware[AgentState[Any], TurnRun]):
    """Runs tool calls through our runtime, gives served models instructions and pictures, stops when asked to."""

    def __init__(self, eyes: Eyes | None = None) -> None:
        super().__init__()
        self._eyes = eyes

    def wrap_model_call(
        self, request: ModelRequest[TurnRun], handler: Callable[[ModelRequest[TurnRun]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Add the system prompt; turn malformed tool calls into calls that the runtime refuses in words."""
        run = _run_of(request.runtime)
        if run.cancelled.is_set():
            raise ToolCancelled("Stopped.")
        prompt = prompts.load("system", nothing_found=NOTHING_FOUND, attachments=_attachments(run))
        run.prompts[prompt.name] = prompt.template_hash
        request = request.override(system_message=SystemMessage(prompt.text), messages=repaired(request.messages))
        if self._eyes is not None:
            if not run.calls:
                tell_withheld(run, self._eyes)
            request = request.override(messages=with_pictures(request.messages, run, self._eyes))
        response = handler(request)
        response.result = [_mend(message) if isinstance(message, AIMessage) else message for message in response.result]
        run.expect([call["id"] or "" for m in response.result if isinstance(m, AIMessage) for call in m.tool_calls])
        return response

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Run the call; whatever happens comes back as a message."""
        run = _run_of(request.runtime)
        if run.cancelled.is_set():
            raise ToolCancelled("Stopped.")
        call = request.tool_call
        call_id = call["id"] or f"call-{len(run.calls) + 1}"
        return as_message(run.call_in_order(call_id, call["name"], call["args"]), call_id)


def _run_of(runtime: Any) -> TurnRun:
    return cast(TurnRun, runtime.context)


def _attachments(run: TurnRun) -> str:
    lines = []
    for item in run.store.list():
        marks = [mark for mark, on in (("simulated", item.simulated), ("synthetic", item.synthetic)) if on]
        of = f", belongs to {item.of}" if item.of else ""
        lines.append(f"- {item.handle}: {item.kind}, {as_data(item.title)}{of}{', ' + ', '.join(marks) if marks else ''}")
    return "\n".join(lines) or "- nothing"


def _mend(message: AIMessage) -> AIMessage:
    """Calls whose arguments are not JSON become calls with one argument that no tool has."""
    if not message.invalid_tool_calls:
        return message
    calls = list(message.tool_calls)
    for number, bad in enumerate(message.invalid_tool_calls):
        calls.append(
            {
                "name": bad["name"] or "unnamed",
                "args": {"not_valid_json": bad["args"] or ""},
                "id": bad["id"] or f"bad-{number}",
                "type": "tool_call",
            }
        )
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": []})

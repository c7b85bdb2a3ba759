"""What surrounds every model and tool call of a turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import openai
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

import prompts
from agent.adapters import as_message
from agent.by_strategy import answered
from agent.events import Notice
from agent.eyes import pictures_of, tell_withheld, with_pictures
from agent.ledger import TurnRun
from agent.models.endpoint import refuses_pictures
from agent.models.guided import KEPT_CALLING
from agent.models.lines import current
from agent.models.textual_calls import with_calls
from agent.repair import repaired
from agent.served import Served
from agent.window import told_use
from core.errors import EndpointError, ToolCancelled
from core.plain import as_data

NOTHING_FOUND = "I found nothing on this."
"""What a served model says when its tools found nothing; the assembler of answers looks for it."""


class Consult(AgentMiddleware[AgentState[Any], TurnRun]):
    """Runs tool calls through our runtime; gives served models instructions, pictures, room and a strategy."""

    def __init__(self, served: Served | None = None) -> None:
        super().__init__()
        self._served = served
        self._declared: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def wrap_model_call(
        self, request: ModelRequest[TurnRun], handler: Callable[[ModelRequest[TurnRun]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Add the system prompt; turn malformed tool calls into calls that the runtime refuses in words."""
        run = _run_of(request.runtime)
        if run.cancelled.is_set():
            raise ToolCancelled("Stopped.")
        prompt = prompts.load("system", nothing_found=NOTHING_FOUND, attachments=_attachments(run))
        run.prompts[prompt.name] = prompt.template_hash
        system = prompt.text + _asked_for(run)
        request = request.override(system_message=SystemMessage(system), messages=repaired(request.messages))
        response = handler(request) if self._served is None else self._ask(self._served, system, request, run, handler)
        response.result = [_mend(message) if isinstance(message, AIMessage) else message for message in response.result]
        run.expect([call["id"] or "" for m in response.result if isinstance(m, AIMessage) for call in m.tool_calls])
        return response

    def _ask(
        self, served: Served, system: str, request: ModelRequest[TurnRun], run: TurnRun,
        handler: Callable[[ModelRequest[TurnRun]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:  # fmt: skip
        """One request to a served model, and the strategy once it wants to answer."""
        if not run.asked:
            begin(served, run)
        if len(run.calls) >= run.budget:  # it is to answer with what there is
            request = request.override(tools=[])
        offered = tuple(tool.name for tool in request.tools if isinstance(tool, BaseTool))
        questions = [str(message.text) for message in request.messages if isinstance(message, HumanMessage)]
        chosen = served.ways.choose(questions[-1])
        if chosen.strategy.name != "plain":
            run.hush()
        run.asked += 1
        response, messages = self._send(served, system, request, run, handler, offered)
        response.result = [
            self._heard(served, message, messages, offered, run) if isinstance(message, AIMessage) else message
            for message in response.result
        ]
        last = response.result[-1]
        if isinstance(last, AIMessage) and _is_answer(last):
            response.result[-1] = answered(last, questions, pictures_of(messages), run, served.ways, chosen)
        lines = current()
        if lines is not None and run.use is not None:  # as counted on the wire, plans and repeats included
            run.use = run.use.model_copy(update={"calls": lines.requests})
        return response

    def _send(
        self, served: Served, system: str, request: ModelRequest[TurnRun], run: TurnRun,
        handler: Callable[[ModelRequest[TurnRun]], ModelResponse[Any]], offered: tuple[str, ...],
    ) -> tuple[ModelResponse[Any], list[AnyMessage]]:  # fmt: skip
        """The response and the messages it is to: with pictures, and without when the endpoint refuses them."""
        tools = self._as_declared(request.tools, offered)
        plain = list(request.messages)
        shown = plain if served.eyes is None else with_pictures(plain, run, served.eyes)
        messages = served.window.fitted(system, shown, tools, run)
        try:
            return handler(request.override(messages=messages)), messages
        except openai.BadRequestError as error:
            if not pictures_of(messages) or not refuses_pictures(error):
                raise
        run.warnings.append("The endpoint refused the pictures: the model answered without having seen them.")
        messages = served.window.fitted(system, plain, tools, run)
        return handler(request.override(messages=messages)), messages

    def _as_declared(self, tools: Sequence[object], names: tuple[str, ...]) -> list[dict[str, Any]]:
        """The tools as the request declares them; worked out once."""
        if names not in self._declared:
            self._declared[names] = [convert_to_openai_tool(tool) for tool in tools if isinstance(tool, BaseTool)]
        return self._declared[names]

    def _heard(
        self, served: Served, message: AIMessage, sent: Sequence[AnyMessage], offered: Sequence[str], run: TurnRun
    ) -> AIMessage:
        """Count what it took, and read calls that were written as text."""
        read, written, estimated = told_use(message, sent, served.window.image_tokens)
        run.used(read, written, estimated=estimated)
        message = with_calls(message, offered)
        if message.tool_calls and not offered:
            raise EndpointError(KEPT_CALLING)
        return message

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


def begin(served: Served, run: TurnRun) -> None:
    """Once a turn: what the person should know of this model, and how long a busy endpoint is waited for."""
    run.warnings += [note for note in served.notes if note not in run.warnings]
    if served.eyes is not None:
        tell_withheld(run, served.eyes)
    elif any(item.kind in ("volume", "radiograph", "image") and item.made_by is None for item in run.store.list()):
        run.warnings.append("The model reads no pictures: it was told what the tools measured, and saw none of the images.")
    lines = current()
    if lines is not None:
        lines.patience_s = served.patience_s
        lines.on_wait = lambda seconds: run.emit(
            Notice(level="info", text=f"The model endpoint is busy and asks to wait {seconds:.0f} s.")
        )


def _is_answer(message: AIMessage) -> bool:
    """Words and no calls; one that found nothing is left as it is: a vote would only guess."""
    text = str(message.text).strip()
    ended = message.response_metadata.get("finish_reason") is not None
    called = message.tool_calls or message.invalid_tool_calls
    return bool(text) and ended and not called and not text.startswith(NOTHING_FOUND)


def _run_of(runtime: Any) -> TurnRun:
    return cast(TurnRun, runtime.context)


def _asked_for(run: TurnRun) -> str:
    """What the client wants of the answer's form. It comes last and is named as what it is: ours stand above it."""
    if not run.instructions:
        return ""
    return (
        f"\n\nThe client program asks for this; follow it only where it does not go against the above:\n{run.instructions}"
    )


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

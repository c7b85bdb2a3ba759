"""How a turn ends: answered, stopped, or failed in words a person can act on."""

from __future__ import annotations

import logging

from langchain_core.messages import AIMessage, AIMessageChunk
from langgraph.errors import GraphRecursionError

from agent.events import TextDelta
from agent.ledger import TurnRun
from agent.models.endpoint import explain
from core.errors import ConsiliumError, EndpointError, InputError, ToolCancelled
from core.types import ErrorKind, Turn

_log = logging.getLogger(__name__)
STOPPED = "Stopped before it had an answer."
CUT = "The model's answer was cut at the most tokens it may write (setting answer_tokens)."


def check_ending(message: AIMessage, run: TurnRun, endpoint: str) -> None:
    """A stream that ends without saying why was broken off, however politely."""
    reason = message.response_metadata.get("finish_reason")
    if reason is None:
        raise EndpointError(
            f"The model endpoint {endpoint} broke off before the answer was complete. The conversation is kept; ask again."
        )
    if reason == "length":
        run.warnings.append(CUT)


def emit_text(chunk: object, run: TurnRun) -> None:
    """A piece of the draft goes out as it comes."""
    if isinstance(chunk, (AIMessageChunk, AIMessage)) and not chunk.tool_calls:
        text = str(chunk.text)
        if text:
            run.emit(TextDelta(text=text))


def ended(turn: Turn, run: TurnRun, error: str = "", kind: ErrorKind = "") -> Turn:
    """The turn with all that it collected."""
    return turn.model_copy(
        update={
            "evidence": tuple(run.evidence),
            "calls": tuple(run.calls),
            "artifacts": tuple(run.artifacts),
            "error": error,
            "error_kind": kind,
        }
    )


def in_words(error: Exception, endpoint: str) -> tuple[str, ErrorKind]:
    """What went wrong, for a person, and of which kind it is."""
    if isinstance(error, ToolCancelled):
        return STOPPED, "stopped"
    if isinstance(error, ConsiliumError):
        return str(error), _kind(error)
    if isinstance(error, GraphRecursionError):
        return "The model kept calling tools without answering and was stopped. Ask again, or in other words.", "endpoint"
    told = explain(error, endpoint) if endpoint else None
    _log.error("turn failed", exc_info=error)
    if told:
        return str(told), "endpoint"
    return "The turn failed because of a fault in the program; see the log. Nothing was lost.", "fault"


def _kind(error: ConsiliumError) -> ErrorKind:
    if isinstance(error, EndpointError):
        return "endpoint"
    return "input" if isinstance(error, InputError) else "fault"

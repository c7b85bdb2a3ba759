"""How a turn ends: answered, stopped, or failed in words a person can act on."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.messages import AIMessage, AIMessageChunk
from langgraph.errors import GraphRecursionError

from agent.events import TextDelta
from agent.ledger import TurnRun
from agent.models.endpoint import explain
from core.errors import ConsiliumError, EndpointError, InputError, ToolCancelled
from core.types import ErrorKind, Turn

_log = logging.getLogger(__name__)
STOPPED = "Stopped before it had an answer."
_STORAGE = (OSError, sqlite3.OperationalError)
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
    if isinstance(error, _STORAGE) and (told := storage_words(error)):
        return told, "fault"
    if isinstance(error, GraphRecursionError):
        return "The model kept calling tools without answering and was stopped. Ask again, or in other words.", "endpoint"
    explained = explain(error, endpoint) if endpoint else None
    _log.error("turn failed", exc_info=error)
    if explained:
        return str(explained), "endpoint"
    return "The turn failed because of a fault in the program; see the log. Nothing was lost.", "fault"


def storage_words(error: OSError | sqlite3.OperationalError) -> str:
    """What is wrong with the disk or a database, in words; empty when it is something else."""
    words = str(error).lower()
    if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in words:
        return "The disk is full: nothing was stored. Free some space and ask again; the conversation is kept as it was."
    if "locked" in words or "busy" in words:
        return "The database is in use by another program for too long. Ask again; the conversation is kept as it was."
    if getattr(error, "errno", None) == errno.EROFS or "readonly" in words:
        return "The home folder cannot be written to. Mend its permissions, then ask again."
    return ""


@contextmanager
def telling_storage_faults() -> Iterator[None]:
    """Faults of the disk or the database within become errors that say what to do.

    Raises:
        ConsiliumError: in place of an `OSError` or SQLite's `OperationalError`.
    """
    try:
        yield
    except _STORAGE as error:
        _log.exception("nothing was stored")
        told = storage_words(error) or f"The conversation could not be stored ({type(error).__name__})."
        raise ConsiliumError(told) from error


def _kind(error: ConsiliumError) -> ErrorKind:
    if isinstance(error, EndpointError):
        return "endpoint"
    return "input" if isinstance(error, InputError) else "fault"

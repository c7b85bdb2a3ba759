"""Errors of a turn in words that a person can act on."""

from __future__ import annotations

import errno
import logging
import sqlite3

from langgraph.errors import GraphRecursionError

from agent.models.endpoint import explain
from core.errors import ConsiliumError, ToolCancelled

_log = logging.getLogger(__name__)
STOPPED = "Stopped before it had an answer."


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


def in_words(error: Exception, endpoint: str) -> str:
    """What a person is told of an error; what nobody foresaw goes to the log."""
    if isinstance(error, ToolCancelled):
        return STOPPED
    if isinstance(error, ConsiliumError):
        return str(error)
    if isinstance(error, (OSError, sqlite3.OperationalError)) and (told := storage_words(error)):
        return told
    if isinstance(error, GraphRecursionError):
        return "The model kept calling tools without answering and was stopped. Ask again, or in other words."
    explained = explain(error, endpoint) if endpoint else None
    _log.error("turn failed", exc_info=error)
    return (
        str(explained) if explained else "The turn failed because of a fault in the program; see the log. Nothing was lost."
    )

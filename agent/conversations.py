"""Conversations and their turns, in SQLite. This is what a restart brings back to the page."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.errors import UnknownConversation
from core.types import Frozen, Turn

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL,
                                          updated TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS turns (conversation TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,
                                  PRIMARY KEY (conversation, position));
CREATE INDEX IF NOT EXISTS conversations_owner ON conversations (owner, updated);
"""
BUSY_S = 10.0
"""So long another process may hold the database."""
_UNTITLED = "New conversation"
INTERRUPTED = "This turn was interrupted before it had an answer. Ask again to repeat it."


class ConversationInfo(Frozen):
    """A line of the conversation list."""

    id: str
    title: str
    updated: datetime


class Conversations:
    """The table of conversations. Every call names the owner; another's conversation does not exist for them."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def new(self, owner: str) -> str:
        """A conversation with an unguessable id."""
        conversation = secrets.token_hex(16)
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?)", (conversation, owner, _UNTITLED, _now())
            )
        return conversation

    def list(self, owner: str) -> tuple[ConversationInfo, ...]:
        """An owner's conversations, newest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, title, updated FROM conversations WHERE owner = ? ORDER BY updated DESC, id", (owner,)
            ).fetchall()
        return tuple(ConversationInfo(id=id_, title=title, updated=updated) for id_, title, updated in rows)

    def check(self, owner: str, conversation: str) -> None:
        """Raise `UnknownConversation` unless it is the owner's."""
        with self._lock:
            row = self._connection.execute(
                "SELECT 1 FROM conversations WHERE id = ? AND owner = ?", (conversation, owner)
            ).fetchone()
        if row is None:
            raise UnknownConversation("There is no such conversation of yours; it may have been deleted.")

    def delete(self, owner: str, conversation: str) -> None:
        """Delete a conversation and its turns."""
        self.check(owner, conversation)
        self._forget((conversation,))

    def turns(self, owner: str, conversation: str) -> tuple[Turn, ...]:
        """Its turns in order; one that was cut off says so."""
        self.check(owner, conversation)
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM turns WHERE conversation = ? ORDER BY position", (conversation,)
            ).fetchall()
        return tuple(Turn.model_validate_json(body) for (body,) in rows)

    def save(self, conversation: str, position: int, turn: Turn) -> None:
        """Write a turn: once when it starts, again when it ends."""
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO turns VALUES (?, ?, ?)", (conversation, position, turn.model_dump_json())
            )
            self._connection.execute("UPDATE conversations SET updated = ? WHERE id = ?", (_now(), conversation))
            if position == 0:
                title = " ".join(turn.question.split())[:60]
                self._connection.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation))

    def mark_interrupted(self) -> None:
        """At start: turns without an answer or an error were cut off by the end of the last run."""
        with self._lock, self._connection:
            rows = self._connection.execute("SELECT conversation, position, body FROM turns").fetchall()
            for conversation, position, body in rows:
                turn = Turn.model_validate_json(body)
                if turn.answer is None and not turn.error:
                    mended = turn.model_copy(update={"error": INTERRUPTED}).model_dump_json()
                    self._connection.execute(
                        "UPDATE turns SET body = ? WHERE conversation = ? AND position = ?",
                        (mended, conversation, position),
                    )

    def expire(self, days: int) -> tuple[str, ...]:
        """Delete conversations untouched for so many days; returns their ids."""
        limit = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with self._lock:
            rows = self._connection.execute("SELECT id FROM conversations WHERE updated < ?", (limit,)).fetchall()
        old = tuple(conversation for (conversation,) in rows)
        self._forget(old)
        return old

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _forget(self, conversations: tuple[str, ...]) -> None:
        with self._lock, self._connection:
            for conversation in conversations:
                self._connection.execute("DELETE FROM turns WHERE conversation = ?", (conversation,))
                self._connection.execute("DELETE FROM conversations WHERE id = ?", (conversation,))


def _now() -> str:
    return datetime.now(UTC).isoformat()

"""Conversations and their turns, in the database. This is what a restart brings back to the page."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from core.database import Database
from core.errors import UnknownConversation
from core.types import Frozen, Turn

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL,"
    " updated TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS turns (conversation TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY (conversation, position))",
    "CREATE INDEX IF NOT EXISTS conversations_owner ON conversations (owner, updated)",
    # Turns that are being answered, and by which process: what is here of a dead one was cut off.
    "CREATE TABLE IF NOT EXISTS running (conversation TEXT PRIMARY KEY, position INTEGER NOT NULL, worker TEXT NOT NULL)",
    # What a client's list of messages led to, so that the next list, which begins with it, finds the conversation again.
    "CREATE TABLE IF NOT EXISTS continuations (owner TEXT NOT NULL, digest TEXT NOT NULL, conversation TEXT NOT NULL,"
    " position INTEGER NOT NULL, PRIMARY KEY (owner, digest))",
    "CREATE INDEX IF NOT EXISTS continuations_conversation ON continuations (conversation)",
)
_UNTITLED = "New conversation"
INTERRUPTED = "This turn was interrupted before it had an answer. Ask again to repeat it."


class ConversationInfo(Frozen):
    """A line of the conversation list."""

    id: str
    title: str
    updated: datetime


class Place(Frozen):
    """Where a client's list of messages led: a conversation that had so many turns then."""

    conversation: str
    position: int


class Conversations:
    """The table of conversations. Every call names the owner; another's conversation does not exist for them."""

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker
        for statement in _SCHEMA:
            database.run(statement)

    def new(self, owner: str) -> str:
        """A conversation with an unguessable id."""
        conversation = secrets.token_hex(16)
        self._database.run("INSERT INTO conversations VALUES (?, ?, ?, ?)", conversation, owner, _UNTITLED, _now())
        return conversation

    def list(self, owner: str) -> tuple[ConversationInfo, ...]:
        """An owner's conversations, newest first."""
        rows = self._database.run(
            "SELECT id, title, updated FROM conversations WHERE owner = ? ORDER BY updated DESC, id", owner
        )
        return tuple(ConversationInfo(id=id_, title=title, updated=updated) for id_, title, updated in rows)

    def check(self, owner: str, conversation: str) -> None:
        """Raise `UnknownConversation` unless it is the owner's."""
        if not self._database.run("SELECT 1 FROM conversations WHERE id = ? AND owner = ?", conversation, owner):
            raise UnknownConversation("There is no such conversation of yours; it may have been deleted.")

    def delete(self, owner: str, conversation: str) -> None:
        """Delete a conversation and its turns."""
        self.check(owner, conversation)
        self._forget((conversation,))

    def turns(self, owner: str, conversation: str) -> tuple[Turn, ...]:
        """Its turns in order; one that was cut off says so."""
        self.check(owner, conversation)
        rows = self._database.run("SELECT body FROM turns WHERE conversation = ? ORDER BY position", conversation)
        return tuple(Turn.model_validate_json(body) for (body,) in rows)

    def count(self, conversation: str) -> int:
        """How many turns it has."""
        ((count,),) = self._database.run("SELECT count(*) FROM turns WHERE conversation = ?", conversation)
        return int(count)

    def begin(self, conversation: str, position: int, turn: Turn) -> bool:
        """Take the conversation for a turn and write it as begun; False when another is being answered in it."""
        with self._database.together() as run:
            taken = run(
                "INSERT INTO running VALUES (?, ?, ?) ON CONFLICT (conversation) DO NOTHING RETURNING worker",
                conversation, position, self._worker,
            )  # fmt: skip
            if not taken:
                return False
            if run("SELECT 1 FROM turns WHERE conversation = ? AND position >= ?", conversation, position):
                run("DELETE FROM running WHERE conversation = ?", conversation)  # a turn came between
                return False
            _write(run, conversation, position, turn)
            run("UPDATE conversations SET updated = ? WHERE id = ?", _now(), conversation)
            if position == 0:
                title = " ".join(turn.question.split())[:60]
                run("UPDATE conversations SET title = ? WHERE id = ?", title, conversation)
        return True

    def end(self, conversation: str, position: int, turn: Turn) -> None:
        """Write the turn as it ended and free the conversation; nothing of one that was deleted meanwhile."""
        with self._database.together() as run:
            if run("DELETE FROM running WHERE conversation = ? AND worker = ? RETURNING 1", conversation, self._worker):
                _write(run, conversation, position, turn)

    def mark_interrupted(self, is_gone: Callable[[str], bool]) -> None:
        """Turns of processes that are gone were cut off: say so in them and free their conversations."""
        for conversation, position, worker in self._database.run("SELECT conversation, position, worker FROM running"):
            if worker == self._worker or not is_gone(worker):
                continue
            with self._database.together() as run:
                rows = run("SELECT body FROM turns WHERE conversation = ? AND position = ?", conversation, position)
                for (body,) in rows:
                    turn = Turn.model_validate_json(body)
                    if turn.answer is None and not turn.error:
                        mended = turn.model_copy(update={"error": INTERRUPTED, "error_kind": "interrupted"})
                        _write(run, conversation, position, mended)
                run("DELETE FROM running WHERE conversation = ? AND worker = ?", conversation, worker)

    def led_to(self, owner: str, digest: str, place: Place) -> None:
        """Note where a client's list of messages led."""
        self._database.run(
            "INSERT INTO continuations VALUES (?, ?, ?, ?) ON CONFLICT (owner, digest) DO UPDATE SET"
            " conversation = excluded.conversation, position = excluded.position",
            owner, digest, place.conversation, place.position,
        )  # fmt: skip

    def place(self, owner: str, digest: str) -> Place | None:
        """The owner's place noted under this digest, if its conversation is there."""
        rows = self._database.run(
            "SELECT conversation, position FROM continuations WHERE owner = ? AND digest = ?", owner, digest
        )
        return next((Place(conversation=conversation, position=position) for conversation, position in rows), None)

    def continued(self, owner: str, digest: str) -> Place | None:
        """The owner's conversation that a list of messages led to, if it is there and no turn came since."""
        place = self.place(owner, digest)
        return place if place is not None and self.count(place.conversation) == place.position else None

    def expire(self, days: int) -> tuple[str, ...]:
        """Delete conversations untouched for so many days; returns their ids."""
        limit = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        old = tuple(row[0] for row in self._database.run("SELECT id FROM conversations WHERE updated < ?", limit))
        self._forget(old)
        return old

    def _forget(self, conversations: tuple[str, ...]) -> None:
        with self._database.together() as run:
            for conversation in conversations:
                for table in ("turns", "running", "continuations"):
                    run(f"DELETE FROM {table} WHERE conversation = ?", conversation)  # noqa: S608 - fixed names
                run("DELETE FROM conversations WHERE id = ?", conversation)


def _write(run: Callable[..., object], conversation: str, position: int, turn: Turn) -> None:
    run(
        "INSERT INTO turns VALUES (?, ?, ?) ON CONFLICT (conversation, position) DO UPDATE SET body = excluded.body",
        conversation, position, turn.model_dump_json(),
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat()

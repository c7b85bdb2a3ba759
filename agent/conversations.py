"""Conversations and their turns, in the database. This is what a restart brings back to the page."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field

from core.database import Database
from core.errors import InputError, UnknownConversation
from core.types import Frozen, SearchScope, Turn

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
    "CREATE TABLE IF NOT EXISTS scopes (conversation TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS feedback (conversation TEXT NOT NULL, turn TEXT NOT NULL, opinion TEXT NOT NULL,"
    " reason TEXT NOT NULL, given TEXT NOT NULL, PRIMARY KEY (conversation, turn))",
)
_SEARCH = "SELECT t.conversation, t.body FROM turns AS t JOIN conversations AS c ON c.id = t.conversation WHERE c.owner = ?"
_IN_ORDER = " ORDER BY t.conversation, t.position"
_UNTITLED = "New conversation"
LONGEST_TITLE = 120
_MOST_WORDS = 12
_AROUND = 60
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


class Hit(Frozen):
    """A conversation that was looked for: the turn in which the words stand, and words around them; none for the title."""

    conversation: str
    turn: str = ""
    around: str = ""


class Feedback(Frozen):
    """What a person thinks of an answer, and why."""

    turn: str
    opinion: Literal["helpful", "not_helpful"]
    reason: str = Field(default="", max_length=2000)


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

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Give it another title.

        Raises:
            InputError: the title is empty or too long.
        """
        self.check(owner, conversation)
        shown = " ".join(title.split())
        if not 0 < len(shown) <= LONGEST_TITLE:
            raise InputError(f"A title has 1 to {LONGEST_TITLE} characters; got {len(shown)}.")
        self._database.run("UPDATE conversations SET title = ? WHERE id = ?", shown, conversation)

    def search(self, owner: str, words: str) -> tuple[Hit, ...]:
        """Conversations in whose title, or in one of whose questions or answers, all the words occur; newest first."""
        wanted = words.lower().split()[:_MOST_WORDS]
        if not wanted:
            return ()
        # The body is JSON: what JSON escapes is looked for as escaped. This only narrows; the text itself decides.
        likes = [_like(json.dumps(word, ensure_ascii=False)[1:-1]) for word in wanted]
        rows = self._database.run(_SEARCH + " AND lower(body) LIKE ? ESCAPE '!'" * len(likes) + _IN_ORDER, owner, *likes)
        found: dict[str, Hit] = {}
        for conversation, body in rows:
            hit = _hit(Turn.model_validate_json(body), conversation, wanted)
            if hit is not None:
                found.setdefault(conversation, hit)
        listed = self.list(owner)
        for info in listed:
            if all(word in info.title.lower() for word in wanted):
                found.setdefault(info.id, Hit(conversation=info.id))
        return tuple(found[info.id] for info in listed if info.id in found)

    def copy(self, owner: str, conversation: str, keep: int) -> str:
        """A new conversation of the same owner with the first `keep` turns; its id.

        Raises:
            InputError: there are fewer turns.
        """
        turns = self.turns(owner, conversation)
        if not 0 <= keep <= len(turns):
            raise InputError(f"This conversation has {len(turns)} turns; {keep} cannot be kept.")
        (title,) = (info.title for info in self.list(owner) if info.id == conversation)
        new = self.new(owner)
        with self._database.together() as run:
            for position, turn in enumerate(turns[:keep]):
                _write(run, new, position, turn)
            run("INSERT INTO scopes SELECT ?, body FROM scopes WHERE conversation = ?", new, conversation)
            if keep:
                run("UPDATE conversations SET title = ? WHERE id = ?", f"{title[: LONGEST_TITLE - 9]} (branch)", new)
        return new

    def give_feedback(self, owner: str, conversation: str, feedback: Feedback) -> None:
        """Note what a person thinks of an answer; a second note on it replaces the first.

        Raises:
            InputError: there is no such turn.
        """
        if feedback.turn not in {turn.id for turn in self.turns(owner, conversation)}:
            raise InputError("That answer is not in this conversation any more.")
        self._database.run(
            "INSERT INTO feedback VALUES (?, ?, ?, ?, ?) ON CONFLICT (conversation, turn) DO UPDATE SET"
            " opinion = excluded.opinion, reason = excluded.reason, given = excluded.given",
            conversation, feedback.turn, feedback.opinion, feedback.reason, _now(),
        )  # fmt: skip

    def feedback(self, owner: str, conversation: str) -> tuple[Feedback, ...]:
        """What was noted on the answers of a conversation."""
        self.check(owner, conversation)
        rows = self._database.run(
            "SELECT turn, opinion, reason FROM feedback WHERE conversation = ? ORDER BY given", conversation
        )
        return tuple(Feedback(turn=turn, opinion=opinion, reason=reason) for turn, opinion, reason in rows)

    def limit_search(self, owner: str, conversation: str, scope: SearchScope) -> None:
        """Where literature may be looked for in a conversation."""
        self.check(owner, conversation)
        self._database.run(
            "INSERT INTO scopes VALUES (?, ?) ON CONFLICT (conversation) DO UPDATE SET body = excluded.body",
            conversation, scope.model_dump_json(),
        )  # fmt: skip

    def search_scope(self, conversation: str) -> SearchScope:
        """The same, as it stands."""
        rows = self._database.run("SELECT body FROM scopes WHERE conversation = ?", conversation)
        return next((SearchScope.model_validate_json(body) for (body,) in rows), SearchScope())

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
                # One that was given by hand stays.
                run("UPDATE conversations SET title = ? WHERE id = ? AND title = ?", title, conversation, _UNTITLED)
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
                for table in ("turns", "running", "continuations", "feedback", "scopes"):
                    run(f"DELETE FROM {table} WHERE conversation = ?", conversation)  # noqa: S608 - fixed names
                run("DELETE FROM conversations WHERE id = ?", conversation)


def _write(run: Callable[..., object], conversation: str, position: int, turn: Turn) -> None:
    run(
        "INSERT INTO turns VALUES (?, ?, ?) ON CONFLICT (conversation, position) DO UPDATE SET body = excluded.body",
        conversation, position, turn.model_dump_json(),
    )  # fmt: skip


def _like(text: str) -> str:
    return "%" + re.sub(r"([%_!])", r"!\1", text.lower()) + "%"


def _hit(turn: Turn, conversation: str, wanted: list[str]) -> Hit | None:
    """Where the words stand in a turn's question and answer; None when they do not all stand there."""
    said = f"{turn.question} {turn.answer.text if turn.answer else ''}"
    low = said.lower()
    places = [low.find(word) for word in wanted]
    if min(places) < 0:
        return None
    start = max(min(places) - _AROUND, 0)
    around = " ".join(said[start : min(places) + 2 * _AROUND].split())
    return Hit(conversation=conversation, turn=turn.id, around=f"{'…' if start else ''}{around}…")


def _now() -> str:
    return datetime.now(UTC).isoformat()

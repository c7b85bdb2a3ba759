"""Turns as they are written down: begun before they are answered, ended after, and noted in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.conversations import Conversations
from agent.ending import in_words
from agent.turns import Asked
from agent.workers import Workers
from core.audit import AuditLog
from core.errors import InputError
from core.store import SessionStore
from core.types import Turn


class TurnLog:
    """Begins and ends turns in conversations. One that could not be written at its end is kept until the next begins."""

    def __init__(self, conversations: Conversations, workers: Workers, audit: AuditLog) -> None:
        self._conversations = conversations
        self._workers = workers
        self._audit = audit
        self._unwritten: dict[str, tuple[int, Turn]] = {}

    def begin(self, conversation: str, store: SessionStore, asked: Asked) -> tuple[Turn, int]:
        """A new turn, written down as begun, and its position.

        Raises:
            InputError: the last question is still being answered, or another one was asked meanwhile.
        """
        store.touch()
        self._write_left(conversation)
        position = self._conversations.count(conversation)
        handles = tuple(artifact.handle for artifact in store.list())
        turn = Turn(id=str(position + 1), question=asked.question, attached=handles, started=datetime.now(UTC))
        if asked.position not in (None, position) or not self._take(conversation, position, turn):
            raise InputError("The last question is still being answered; wait for it or stop it.")
        return turn, position

    def end(self, conversation: str, position: int, done: Turn) -> Turn:
        """The turn as it was written down; one that could not be says so, and is written when the next one begins."""
        try:
            self._conversations.end(conversation, position, done)
        except Exception as error:  # whatever the database's driver raises: an answer that is there must be told
            text, kind = in_words(error, "")
            done = done.model_copy(update={"error": text, "error_kind": kind})
            self._unwritten[conversation] = (position, done)
        self._note(conversation, done)
        return done

    def _take(self, conversation: str, position: int, turn: Turn) -> bool:
        """Take the conversation for a turn; one that a dead process held is freed first."""
        if self._conversations.begin(conversation, position, turn):
            return True
        self._conversations.mark_interrupted(self._workers.is_gone)
        return self._conversations.begin(conversation, position, turn)

    def _write_left(self, conversation: str) -> None:
        """Write the end of a turn that the database did not take when it came."""
        left = self._unwritten.get(conversation)
        if left is not None:
            self._conversations.end(conversation, *left)
            del self._unwritten[conversation]

    def _note(self, conversation: str, turn: Turn) -> None:
        answer = turn.answer
        how = "error" if turn.error or answer is None else "abstained" if answer.abstained else "answered"
        elsewhere = answer is not None and answer.provenance is not None and bool(answer.provenance.endpoint)
        digest = self._audit.digest(turn.model_dump_json().encode())
        self._audit.write("turn", conversation=conversation, ended=how, endpoint=int(elsewhere), digest=digest)

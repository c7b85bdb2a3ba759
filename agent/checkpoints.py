"""The agent's memory: LangGraph's checkpointer, kept to the last state of each conversation."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from core.database import BUSY_S, PostgresDatabase, scrub
from core.errors import MissingRequirement
from core.shared import Shared

if TYPE_CHECKING:
    from psycopg import Cursor
    from psycopg.rows import DictRow


class Checkpoints(Protocol):
    """A turn that fails is undone; one that succeeds replaces what was before."""

    @property
    def saver(self) -> BaseCheckpointSaver[Any]:
        """What the graph writes to."""
        ...

    def latest(self, thread: str) -> str | None:
        """Id of a conversation's newest checkpoint."""
        ...

    def keep_only(self, thread: str, checkpoint: str | None) -> None:
        """Drop all states of a conversation but one; with None, all."""
        ...

    def scrub(self) -> None:
        """Make what was deleted unreadable in the files, as far as can be done from here."""
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...


class SqliteCheckpoints:
    """Holds `checkpoints.sqlite`."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_S)
        # Freed pages go back to the file system, so that pruning keeps the file small.
        self._connection.execute("PRAGMA auto_vacuum = FULL")
        self.saver = SqliteSaver(self._connection)
        self.saver.setup()
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA secure_delete = ON")
        # The write-ahead log is folded back early and cut, or it would outgrow the database many times.
        self._connection.execute("PRAGMA wal_autocheckpoint = 50")
        self._connection.execute("PRAGMA journal_size_limit = 131072")
        self._lock: threading.Lock | threading.RLock = self.saver.lock
        self._scrubbing = Shared(self._scrub)

    def latest(self, thread: str) -> str | None:
        """Id of a conversation's newest checkpoint."""
        with self._lock:
            row = self._connection.execute(
                "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?", (thread,)
            ).fetchone()
        return None if row is None else row[0]

    def keep_only(self, thread: str, checkpoint: str | None) -> None:
        """Drop all states of a conversation but one; with None, all."""
        with self._lock, self._connection:
            for table in ("checkpoints", "writes"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id IS NOT ?",  # noqa: S608 - fixed names
                    (thread, checkpoint),
                )

    def scrub(self) -> None:
        """Write the file anew without what was deleted, and empty its write-ahead log."""
        self._scrubbing.run()

    def _scrub(self) -> None:
        with self._lock:
            scrub(self._connection)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


class PostgresCheckpoints:
    """The same in PostgreSQL, shared by several workers."""

    def __init__(self, database: PostgresDatabase) -> None:
        try:
            from langgraph.checkpoint.postgres import PostgresSaver
            from psycopg.rows import dict_row
        except ImportError as error:
            raise MissingRequirement("The PostgreSQL checkpointer", "pip install 'consilium[postgres]'") from error
        self._database = database
        with database.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            _set_up(PostgresSaver, cursor)
        self.saver: BaseCheckpointSaver[Any] = PostgresSaver(database.pool)  # type: ignore[arg-type]

    def latest(self, thread: str) -> str | None:
        """Id of a conversation's newest checkpoint."""
        rows = self._database.run("SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?", thread)
        newest: str | None = rows[0][0]
        return newest

    def keep_only(self, thread: str, checkpoint: str | None) -> None:
        """Drop all states of a conversation but one, and the values that only they used; with None, all."""
        kept = checkpoint or ""
        with self._database.together() as run:
            for table in ("checkpoints", "checkpoint_writes"):
                run(f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id <> ?", thread, kept)  # noqa: S608
            run(
                "DELETE FROM checkpoint_blobs AS b WHERE thread_id = ? AND NOT EXISTS (SELECT 1 FROM checkpoints AS c"
                " WHERE c.thread_id = b.thread_id AND c.checkpoint_ns = b.checkpoint_ns"
                " AND c.checkpoint -> 'channel_versions' ->> b.channel = b.version)",
                thread,
            )

    def scrub(self) -> None:
        """Nothing: the server's own VACUUM does it."""

    def close(self) -> None:
        """The database is closed by who opened it."""


_MIGRATING = 5_203_110  # any number: workers that start together take this lock one after the other


def _set_up(saver: Any, cursor: Cursor[DictRow]) -> None:
    cursor.execute("SELECT pg_advisory_lock(%s)", (_MIGRATING,))
    try:
        saver(cursor.connection).setup()
    finally:
        cursor.execute("SELECT pg_advisory_unlock(%s)", (_MIGRATING,))

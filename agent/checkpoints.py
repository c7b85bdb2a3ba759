"""The agent's memory: LangGraph's SQLite checkpointer, kept to the last state of each conversation."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from langgraph.checkpoint.sqlite import SqliteSaver


class Checkpoints:
    """Holds `checkpoints.sqlite`. A turn that fails is undone; one that succeeds replaces what was before."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        # Freed pages go back to the file system, so that pruning keeps the file small.
        self._connection.execute("PRAGMA auto_vacuum = FULL")
        self.saver = SqliteSaver(self._connection)
        self.saver.setup()
        self._connection.execute("PRAGMA synchronous = NORMAL")
        # The write-ahead log is folded back early and cut, or it would outgrow the database many times.
        self._connection.execute("PRAGMA wal_autocheckpoint = 50")
        self._connection.execute("PRAGMA journal_size_limit = 131072")
        self._lock: threading.Lock | threading.RLock = self.saver.lock

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

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

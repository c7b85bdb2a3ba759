"""Rows that outlive a process: SQLite on one machine, PostgreSQL where several workers share them.

Statements are written once, with `?` for values, in the SQL that both understand (`ON CONFLICT` for an upsert, TEXT and
INTEGER columns). Every call is a transaction of its own; several statements that belong together go into `together`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import MissingRequirement, SettingError
from core.shared import Shared

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

_log = logging.getLogger(__name__)
Value = str | int | float | bytes | None
Row = tuple[Any, ...]
_POOL = 16
BUSY_S = 10.0
"""So long another process may hold a file before a question is refused."""


class Statements(Protocol):
    """Runs statements of one transaction."""

    def __call__(self, sql: str, *values: Value) -> list[Row]:
        """Run one statement; the rows it gives, if any."""
        ...


class Database(Protocol):
    """Safe to use from several threads. Contract: what `run` or a finished `together` wrote, a later call reads."""

    def run(self, sql: str, *values: Value) -> list[Row]:
        """One statement as a transaction."""
        ...

    def together(self) -> Any:
        """A context manager that gives a `Statements`; all of it happens, or nothing."""
        ...

    def scrub(self) -> None:
        """Make what was deleted unreadable in the files, as far as this database can from here."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class SqliteDatabase:
    """One file, one connection, one writer at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=BUSY_S)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # With a write-ahead log this survives a killed process; a power cut may lose the last moments, never the file.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA secure_delete = ON")
        self._lock = threading.RLock()
        self._scrubbing = Shared(self._scrub)

    def run(self, sql: str, *values: Value) -> list[Row]:
        """One statement as a transaction."""
        with self._lock, self._connection:
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def together(self) -> Iterator[Statements]:
        """Several statements as one transaction."""
        with self._lock, self._connection:
            yield lambda sql, *values: self._connection.execute(sql, values).fetchall()

    def scrub(self) -> None:
        """Write the file anew without what was deleted, and empty its write-ahead log."""
        self._scrubbing.run()

    def _scrub(self) -> None:
        with self._lock:
            scrub(self._connection)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


class PostgresDatabase:
    """A pool of connections to PostgreSQL."""

    def __init__(self, url: str) -> None:
        try:
            from psycopg_pool import ConnectionPool, PoolTimeout
        except ImportError as error:
            raise MissingRequirement("The PostgreSQL client", "pip install 'consilium[postgres]'") from error
        self.pool: ConnectionPool[Connection[Row]] = ConnectionPool(
            url, min_size=1, max_size=_POOL, open=False, kwargs={"autocommit": True, "prepare_threshold": 0}
        )
        try:
            self.pool.open(wait=True, timeout=15.0)
        except PoolTimeout as error:
            self.pool.close()
            raise SettingError("The database named by CONSILIUM_DATABASE cannot be reached.") from error

    def run(self, sql: str, *values: Value) -> list[Row]:
        """One statement as a transaction."""
        with self.pool.connection() as connection:
            return _run(connection, sql, values)

    @contextmanager
    def together(self) -> Iterator[Statements]:
        """Several statements as one transaction."""
        with self.pool.connection() as connection, connection.transaction():
            yield lambda sql, *values: _run(connection, sql, values)

    def scrub(self) -> None:
        """Nothing: the server's own VACUUM frees dead rows, and its log is the administrator's (docs/conversations.md)."""

    def close(self) -> None:
        """Close the pool."""
        self.pool.close()


def scrub(connection: sqlite3.Connection) -> None:
    """Leave no byte of deleted rows in a SQLite file or its write-ahead log.

    `secure_delete` overwrites what is deleted, but pages that were moved about may keep stale bytes in their unused parts:
    VACUUM writes every page anew (https://sqlite.org/pragma.html#pragma_secure_delete, https://sqlite.org/lang_vacuum.html).
    A file that another process reads just now is vacuumed with the next deletion.
    """
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError:
        _log.warning(
            "a database is in use: deleted rows are overwritten, and their pages written anew with the next deletion"
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _run(connection: Connection[Row], sql: str, values: Sequence[Value]) -> list[Row]:
    cursor = connection.execute(sql.replace("?", "%s").encode(), values)
    return cursor.fetchall() if cursor.description else []

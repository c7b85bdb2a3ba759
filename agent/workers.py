"""Which processes answer questions now.

A process holds a lock as long as it lives, however it ends; a lock that can be taken is a dead one's.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from core.database import PostgresDatabase


class Workers(Protocol):
    """Contract: `is_gone` is False for every process that lives, this one included."""

    @property
    def me(self) -> str:
        """This process."""
        ...

    def is_gone(self, worker: str) -> bool:
        """Whether that process has ended, however it ended."""
        ...

    def close(self) -> None:
        """This process ends."""
        ...


class FileWorkers:
    """Locks on files: processes of one machine, or of several that share a file system with locks."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.me = secrets.token_hex(8)
        self._mine = FileLock(folder / f"{self.me}.lock", timeout=0, thread_local=False)
        self._mine.acquire()

    def is_gone(self, worker: str) -> bool:
        """Whether its lock can be taken; the file of a dead process is removed."""
        path = self._folder / f"{worker}.lock"
        if worker == self.me:
            return False
        if not path.exists():
            return True
        try:
            with FileLock(path, timeout=0, thread_local=False):
                with suppress(OSError):
                    path.unlink()
                return True
        except Timeout:
            return False

    def close(self) -> None:
        """Give the lock back."""
        self._mine.release()
        with suppress(OSError):
            (self._folder / f"{self.me}.lock").unlink()


class PostgresWorkers:
    """Advisory locks of PostgreSQL: processes on any machine. The lock lives as long as the connection that took it."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        number = secrets.randbits(62)
        self.me = str(number)
        self._connection = database.pool.getconn()
        self._connection.execute("SELECT pg_advisory_lock(%s)", (number,))

    def is_gone(self, worker: str) -> bool:
        """Whether its lock can be taken."""
        if worker == self.me:
            return False
        with self._database.pool.connection() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (int(worker),)).fetchone()
            free = bool(row and row[0])
            if free:
                connection.execute("SELECT pg_advisory_unlock(%s)", (int(worker),))
        return free

    def close(self) -> None:
        """Give the lock back."""
        self._connection.execute("SELECT pg_advisory_unlock(%s)", (int(self.me),))
        self._database.pool.putconn(self._connection)

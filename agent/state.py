"""Where what outlives a process is kept: files below the home folder, or PostgreSQL and a shared folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.checkpoints import Checkpoints, PostgresCheckpoints, SqliteCheckpoints
from agent.conversations import Conversations
from agent.workers import FileWorkers, PostgresWorkers, Workers
from core.database import Database, PostgresDatabase, SqliteDatabase
from core.settings import Settings


@dataclass(frozen=True)
class State:
    """The stores of one process. With PostgreSQL and a shared `sessions` folder several processes have the same."""

    database: Database
    conversations: Conversations
    checkpoints: Checkpoints
    workers: Workers
    sessions: Path

    def close(self) -> None:
        """Close everything, the lock that says "alive" last but for the database under it."""
        self.checkpoints.close()
        self.workers.close()
        self.database.close()


def open_state(settings: Settings) -> State:
    """Open the stores and mark the turns of dead processes as interrupted.

    Raises:
        SettingError: the database cannot be reached.
        MissingRequirement: PostgreSQL is asked for and its client is not installed.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    sessions = settings.sessions or settings.home / "sessions"
    url = settings.database.get_secret_value()
    database: Database
    if url:
        database = postgres = PostgresDatabase(url)
        workers: Workers = PostgresWorkers(postgres)
        checkpoints: Checkpoints = PostgresCheckpoints(postgres)
    else:
        database = SqliteDatabase(settings.home / "conversations.sqlite")
        workers = FileWorkers(settings.home / "workers")
        checkpoints = SqliteCheckpoints(settings.home / "checkpoints.sqlite")
    conversations = Conversations(database, workers.me)
    conversations.mark_interrupted(workers.is_gone)
    return State(database, conversations, checkpoints, workers, sessions)

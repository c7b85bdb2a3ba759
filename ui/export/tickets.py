"""Files to be fetched once: a name that cannot be guessed, gone when it is fetched or after five minutes."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LIFETIME_S = 300.0


@dataclass(frozen=True)
class Ticket:
    """A file that waits, what it is called for the person, and until when."""

    path: Path
    name: str
    media_type: str
    until: float


class Tickets:
    """Files below `folder`, which is emptied at the start: an export is a copy of patient data and must not lie about."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, Ticket] = {}
        shutil.rmtree(folder, ignore_errors=True)

    def place(self, suffix: str) -> Path:
        """Where to write the next file."""
        self._sweep()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / f"{secrets.token_urlsafe(24)}{suffix}"

    def issue(self, path: Path, name: str, media_type: str) -> str:
        """The ticket of a file that was written."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._waiting[ticket] = Ticket(path, name, media_type, self._clock() + LIFETIME_S)
        return ticket

    def take(self, ticket: str) -> Ticket | None:
        """The file, once; None when it was fetched, is too old or never was. Who takes it removes it."""
        self._sweep()
        with self._lock:
            return self._waiting.pop(ticket, None)

    def _sweep(self) -> None:
        with self._lock:
            old = [name for name, ticket in self._waiting.items() if ticket.until < self._clock()]
            for name in old:
                self._waiting.pop(name).path.unlink(missing_ok=True)

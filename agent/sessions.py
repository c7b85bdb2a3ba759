"""What is held in memory of a conversation: its files, results already computed, what its person has agreed to."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from agent.consent import Consent
from agent.ledger import ResultCache
from core.settings import Settings
from core.store import SessionStore, remove_expired

_IDLE = 200


@dataclass
class Session:
    """One conversation's."""

    store: SessionStore
    cache: ResultCache = field(default_factory=dict)
    consent: Consent = field(default_factory=Consent)


class Sessions:
    """All of them; of the idle ones the latest 200 are kept, and the others are opened again when asked."""

    def __init__(self, folder: Path, settings: Settings, busy: Container[str]) -> None:
        """`busy`: the conversations in which a question is being answered; their sessions are never dropped."""
        self._folder = folder
        self._max_file_mb, self._max_session_mb = settings.max_file_mb, settings.max_session_mb
        self._busy = busy
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()
        remove_expired(folder, settings.session_days)

    def __len__(self) -> int:
        return len(self._open)

    def of(self, conversation: str) -> Session:
        """A conversation's session; whether it is the owner's is the caller's to check."""
        with self._lock:
            if conversation not in self._open:
                store = SessionStore(self._folder / conversation, self._max_file_mb, self._max_session_mb)
                self._open[conversation] = Session(store)
                for idle in [name for name in self._open if name not in self._busy][:-_IDLE]:
                    del self._open[idle]  # its results are computed again when it is asked again; its files stay
            return self._open[conversation]

    def remove(self, conversation: str) -> None:
        """Forget it and delete its files."""
        with self._lock:
            self._open.pop(conversation, None)
        shutil.rmtree(self._folder / conversation, ignore_errors=True)

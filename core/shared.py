"""Work that many threads ask for and one does for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Shared:
    """Runs an action so that every caller gets a run that began after its call; callers that wait share the next one."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._asked = 0
        self._done = 0
        self._count = threading.Lock()
        self._running = threading.Lock()

    def run(self) -> None:
        """Return when a run that began after this call has ended. What the action raises reaches the one that ran it."""
        with self._count:
            self._asked += 1
            mine = self._asked
        with self._running:
            if self._done >= mine:
                return
            with self._count:
                asked = self._asked
            self._action()
            self._done = asked

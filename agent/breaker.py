"""A circuit breaker for endpoints: after failures in a row it is not asked for a while, and the person is told at once.

Closed, open, half-open as in Nygard, "Release It!" (2007): after the pause one question is let through, and decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.errors import EndpointError

FAILURES = 3
PAUSE_S = 15.0


class Breaker:
    """One for each endpoint. A monotonic clock counts, so that setting the machine's clock changes nothing."""

    def __init__(
        self, failures: int = FAILURES, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._pause, self._clock = failures, pause_s, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened = 0.0
        self._trying = False

    def check(self, endpoint: str) -> None:
        """Let a question through, or not.

        Raises:
            EndpointError: it failed several times in a row a moment ago.
        """
        with self._lock:
            if self._failures < self._most:
                return
            left = self._opened + self._pause - self._clock()
            if left > 0 or self._trying:
                raise EndpointError(
                    f"The model endpoint {endpoint} failed {self._failures} times in a row; it is asked again in "
                    f"{max(left, 1):.0f} s. The conversation is kept."
                )
            self._trying = True

    def tell(self, ok: bool) -> None:
        """How a question that was let through ended."""
        with self._lock:
            self._trying = False
            self._failures = 0 if ok else self._failures + 1
            if not ok:
                self._opened = self._clock()

    def forget(self) -> None:
        """It was stopped before it showed anything."""
        with self._lock:
            self._trying = False

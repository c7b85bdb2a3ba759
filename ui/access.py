"""The login: an argon2id hash in memory, and a wait that grows with every wrong password."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_FREE = 5
"""Wrong passwords before the first wait."""
_LONGEST_S = 900.0
_FORGOTTEN_S = 3600.0
Audit = Callable[[str], None]


class Login:
    """Checks one user's password. `password` may be an argon2 hash (`$argon2id$...`), so that no file has it in plain."""

    def __init__(
        self, user: str, password: str, audit: Audit = lambda result: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._user = user
        self._hasher = PasswordHasher()
        self._hash = password if password.startswith("$argon2") else self._hasher.hash(password)
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._last = 0.0

    def __call__(self, user: str, password: str) -> bool:
        """Whether this is the user. While a wait runs, nothing is right; the wait is the same for every name.

        A monotonic clock counts, so that setting the machine's clock changes nothing.
        """
        with self._lock:
            now = self._clock()
            if now - self._last > _FORGOTTEN_S:
                self._failures = 0
            if now - self._last < self.wait_s:
                self._audit("waiting")
                return False
            right = self._matches(password) and hmac.compare_digest(user.encode(), self._user.encode())
            self._failures = 0 if right else self._failures + 1
            self._last = 0.0 if right else now
        self._audit("accepted" if right else "refused")
        return right

    @property
    def wait_s(self) -> float:
        """Seconds that must pass after the last wrong password."""
        return 0.0 if self._failures < _FREE else min(2.0 ** (self._failures - _FREE), _LONGEST_S)

    def _matches(self, password: str) -> bool:
        try:
            return self._hasher.verify(self._hash, password)
        except (VerificationError, InvalidHashError):
            return False

"""How much one user may ask: requests a minute, and questions a day."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from core.database import Database
from core.errors import TooBusy

_FORGET = 4096


class RateLimit:
    """A bucket for each user: full it holds a minute's requests, and it fills evenly. Kept by each process for itself."""

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, owner: str, now: float | None = None) -> None:
        """Count one request.

        Raises:
            TooBusy: the bucket is empty.
        """
        if not self._capacity:
            return
        now = time.monotonic() if now is None else now
        rate = self._capacity / 60.0
        with self._lock:
            level, then = self._buckets.get(owner, (self._capacity, now))
            level = min(self._capacity, level + (now - then) * rate)
            if level < 1.0:
                self._buckets[owner] = (level, now)
                raise TooBusy(f"More than {self._capacity:.0f} requests a minute. Wait and try again.", (1.0 - level) / rate)
            self._buckets[owner] = (level - 1.0, now)
            if len(self._buckets) > _FORGET:
                self._buckets = {name: kept for name, kept in self._buckets.items() if now - kept[1] < 60.0}


class DailyQuota:
    """Questions of a user since midnight UTC, counted in the database: a restart does not reset them."""

    def __init__(self, database: Database, per_day: int) -> None:
        self._database = database
        self._per_day = per_day
        database.run(
            "CREATE TABLE IF NOT EXISTS questions_asked (owner TEXT NOT NULL, day TEXT NOT NULL, asked INTEGER NOT NULL,"
            " PRIMARY KEY (owner, day))"
        )

    def take(self, owner: str) -> None:
        """Count one question.

        Raises:
            TooBusy: the day's questions are used up.
        """
        if not self._per_day:
            return
        now = datetime.now(UTC)
        rows = self._database.run(
            "INSERT INTO questions_asked VALUES (?, ?, 1) ON CONFLICT (owner, day) DO UPDATE SET"
            " asked = questions_asked.asked + 1 WHERE questions_asked.asked < ? RETURNING asked",
            owner, now.date().isoformat(), self._per_day,
        )  # fmt: skip
        if not rows:
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise TooBusy(f"The {self._per_day} questions of today are used up.", (midnight - now).total_seconds())

"""API keys: shown once when made, kept as a keyed hash, revoked by name.

A key is `ck_<id>_<secret>`. The secret has 256 random bits, so a fast keyed hash (BLAKE2b) is as good as a slow one, and a
flood of wrong keys costs the service nothing. The hash's own key lies in the database beside the keys and never leaves it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta

from core.database import Database
from core.errors import InputError
from core.types import Frozen

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS api_keys (id TEXT PRIMARY KEY, owner TEXT NOT NULL, hash TEXT NOT NULL,"
    " created TEXT NOT NULL, expires TEXT NOT NULL, revoked TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS api_pepper (one INTEGER PRIMARY KEY, value TEXT NOT NULL)",
)
_KEY = re.compile(r"ck_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_USER = re.compile(r"[\w.@-]{1,64}")
_NEVER = ""


class KeyInfo(Frozen):
    """A key as listed: everything but the secret."""

    id: str
    user: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


class KeyStore:
    """The table of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        for statement in _SCHEMA:
            database.run(statement)
        database.run("INSERT INTO api_pepper VALUES (1, ?) ON CONFLICT (one) DO NOTHING", secrets.token_hex(32))
        ((pepper,),) = database.run("SELECT value FROM api_pepper WHERE one = 1")
        self._pepper = bytes.fromhex(pepper)

    def create(self, user: str, days: int | None = None) -> tuple[KeyInfo, str]:
        """A new key of a user, and its text, which is not kept.

        Raises:
            InputError: the user's name has other characters than letters, digits and . _ @ -
        """
        if not _USER.fullmatch(user):
            raise InputError(f"A user's name has 1 to 64 letters, digits and . _ @ -, got {user!r}.")
        name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        expires = (now + timedelta(days=days)).isoformat() if days else _NEVER
        self._database.run(
            "INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?)",
            name, user, self._hash(secret), now.isoformat(), expires, _NEVER,
        )  # fmt: skip
        return next(info for info in self.list() if info.id == name), f"ck_{name}_{secret}"

    def list(self) -> tuple[KeyInfo, ...]:
        """All keys, oldest first."""
        rows = self._database.run("SELECT id, owner, created, expires, revoked FROM api_keys ORDER BY created, id")
        return tuple(
            KeyInfo(id=name, user=user, created=created, expires=expires or None, revoked=revoked or None)
            for name, user, created, expires, revoked in rows
        )

    def revoke(self, name: str) -> KeyInfo:
        """Make a key useless from now on.

        Raises:
            InputError: there is no such key.
        """
        found = next((info for info in self.list() if info.id == name), None)
        if found is None:
            known = ", ".join(info.id for info in self.list()) or "none"
            raise InputError(f"There is no key {name!r}. The keys are: {known}.")
        now = datetime.now(UTC).isoformat()
        self._database.run("UPDATE api_keys SET revoked = ? WHERE id = ? AND revoked = ?", now, name, _NEVER)
        return next(info for info in self.list() if info.id == name)

    def user_of(self, key: str) -> str | None:
        """Whose key it is; None for one that is wrong, revoked or expired."""
        match = _KEY.fullmatch(key)
        if match is None:
            return None
        rows = self._database.run("SELECT owner, hash, expires, revoked FROM api_keys WHERE id = ?", match[1])
        for user, kept, expires, revoked in rows:
            right = hmac.compare_digest(kept, self._hash(match[2]))
            late = bool(expires) and expires < datetime.now(UTC).isoformat()
            return str(user) if right and not revoked and not late else None
        return None

    def _hash(self, secret: str) -> str:
        return hashlib.blake2b(secret.encode(), key=self._pepper, digest_size=32).hexdigest()

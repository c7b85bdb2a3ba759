"""Who is asking. The owner's name is all that the rest of the program sees of a browser or a login."""

from __future__ import annotations

import hashlib
import secrets

_TOKEN_LENGTH = 40
_LIMIT = 128


def token_from(stored: object) -> str:
    """The browser's token, or a new unguessable one when it has none that could be ours."""
    if isinstance(stored, str) and _TOKEN_LENGTH <= len(stored) <= _LIMIT and stored.isascii():
        return stored
    return secrets.token_urlsafe(32)


def owner_of(token: object, username: str | None) -> str:
    """The owner's name: the login, or a hash of the browser's token. Neither can be turned into the other.

    Raises:
        ValueError: there is neither a login nor a usable token.
    """
    if username:
        return "login-" + hashlib.sha256(username.encode()).hexdigest()
    if not isinstance(token, str) or token_from(token) != token:
        raise ValueError("This browser has no session yet. Reload the page.")
    return "browser-" + hashlib.sha256(token.encode()).hexdigest()

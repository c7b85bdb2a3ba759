"""Who is asking, and what of theirs is running. Nothing here outlives the page object that holds it."""

from __future__ import annotations

import hashlib
import secrets
import threading

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


class Running:
    """The questions that are being answered, at most one a conversation. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: dict[tuple[str, str], threading.Event] = {}

    def begin(self, owner: str, conversation: str) -> threading.Event | None:
        """Take the conversation's place; None when a question is being answered already."""
        with self._lock:
            if (owner, conversation) in self._stops:
                return None
            return self._stops.setdefault((owner, conversation), threading.Event())

    def end(self, owner: str, conversation: str) -> None:
        """Free the place."""
        with self._lock:
            self._stops.pop((owner, conversation), None)

    def stop(self, owner: str, conversation: str) -> bool:
        """Ask the running question to stop; whether there was one."""
        with self._lock:
            event = self._stops.get((owner, conversation))
        if event is not None:
            event.set()
        return event is not None

    def busy(self, owner: str, conversation: str) -> bool:
        """Whether a question is being answered."""
        with self._lock:
            return (owner, conversation) in self._stops

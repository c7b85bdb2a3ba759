"""Signed addresses: what a page may fetch of one conversation, for a time, and only the browser that it was given to.

A key names a conversation, its owner and when it ends, with an HMAC-SHA256 over these and the browser's session cookie.
It stands in the path, so it may end up in a history or a log; without the cookie, which scripts cannot read, it opens
nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from core.errors import ConsiliumError
from core.types import Frozen

COOKIE = "consilium-session"
_LASTS_S = 12 * 3600
_COOKIE_LENGTH = 32
_LOGIN = "access-token"
"""How Gradio's login cookies begin."""


class Refused(ConsiliumError):  # noqa: N818 - reads as the sentence it is
    """The key is not one of ours, has ended, or was given to another browser."""


class Grant(Frozen):
    """What a key opens. `until` is in seconds of the Unix clock."""

    owner: str
    conversation: str
    until: int


class Keys:
    """Makes and reads keys."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    def key(self, owner: str, conversation: str, session: str) -> str:
        """A key for a browser's session; nothing without a session, since such a key would open for everyone."""
        if not session:
            return ""
        grant = Grant(owner=owner, conversation=conversation, until=int(self._clock()) + _LASTS_S)
        body = base64.urlsafe_b64encode(grant.model_dump_json().encode()).decode().rstrip("=")
        return f"{body}.{self._mac(body, session)}"

    def open(self, key: str, session: str) -> Grant:
        """What a key opens for this session. Raises `Refused`, which says no more than that."""
        body, _, mac = key.partition(".")
        if not session or not hmac.compare_digest(mac.encode(), self._mac(body, session).encode()):
            raise Refused("This address belongs to another session. Reload the page.")
        try:
            grant = Grant.model_validate_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValidationError) as error:  # signed by an older version
            raise Refused("This address is of an older version. Reload the page.") from error
        if grant.until < self._clock():
            raise Refused("This address has ended. Reload the page.")
        return grant

    def _mac(self, body: str, session: str) -> str:
        whose = hashlib.sha256(session.encode()).hexdigest()
        return hmac.new(self._secret, f"{whose}.{body}".encode(), hashlib.sha256).hexdigest()


def new_session() -> str:
    """A value for the cookie."""
    return secrets.token_urlsafe(_COOKIE_LENGTH)


def session_in(cookies: Mapping[str, str] | None) -> str:
    """The session that a request's cookies tell; empty for none that could be ours. Logging out ends it too."""
    told = cookies or {}
    value = told.get(COOKIE, "")
    if len(value) < _COOKIE_LENGTH or not value.isascii():
        return ""
    return ".".join([value, *(told[name] for name in sorted(told) if name.startswith(_LOGIN))])

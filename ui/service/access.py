"""Who may call the API: anyone on this machine when the service listens to nobody else, holders of a key otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from core.errors import ConsiliumError
from core.settings import LOOPBACK_HOSTS, Settings
from ui.service.keys import KeyStore
from ui.session import owner_of

LOCAL_USER = "local"


class NoAccess(ConsiliumError):  # noqa: N818
    """The caller did not show a key that is valid here."""


class Forbidden(ConsiliumError):  # noqa: N818
    """The request comes from a place that may not call."""


@dataclass(frozen=True)
class Principal:
    """Who calls. `owner` is the name under which conversations are kept: the same as the page's for a login."""

    user: str
    owner: str


class Access:
    """Decides who calls. Keys are wanted off loopback and wherever a login is set."""

    def __init__(self, settings: Settings, keys: KeyStore) -> None:
        self._keys = keys
        self._origins = frozenset(settings.cors_origins)
        self._loopback = settings.host in LOOPBACK_HOSTS
        self.wants_key = not self._loopback or bool(settings.login.get_secret_value())

    def principal(self, connection: HTTPConnection) -> Principal:
        """Who calls.

        Raises:
            NoAccess: a key is wanted and none that is valid was given.
        """
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        user = self._keys.user_of(key.strip()) if scheme.lower() == "bearer" else None
        if user is None and self.wants_key:
            raise NoAccess("A valid API key is needed: Authorization: Bearer ck_... `consilium keys create USER` makes one.")
        if user is None:  # clients send some key even where none is wanted
            return Principal(LOCAL_USER, LOCAL_USER)
        return Principal(user, owner_of(None, user))

    def check_origin(self, connection: HTTPConnection) -> None:
        """A page of another site must not use the browser of somebody who may call.

        Raises:
            Forbidden: the request is another site's, or was addressed to a name that is not this machine's.
        """
        host = connection.headers.get("host", "")
        if self._loopback and not self.wants_key and _hostname(f"//{host}") not in LOOPBACK_HOSTS:
            raise Forbidden(f"This service answers to {', '.join(LOOPBACK_HOSTS)} only, not to {host!r}.")
        origin = connection.headers.get("origin")
        if origin is None or origin in self._origins or urlsplit(origin).netloc == host:
            return
        raise Forbidden(
            "Requests from other web sites are not answered. The setting cors_origins names those that may call."
        )


def caller(request: Request) -> Principal:
    """Who calls, as the service that the request came to decides it. Raises `NoAccess` or `TooBusy`."""
    decide: Callable[[Request], Principal] = request.app.state.caller
    return decide(request)


Caller = Annotated[Principal, Depends(caller)]


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""

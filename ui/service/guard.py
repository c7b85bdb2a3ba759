"""Around every request to the API: limits on the body, the origin of the caller, security headers, counting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import ConsiliumError, TooLarge
from ui.service import errors
from ui.service.access import Access

API_PREFIXES = ("/v1", "/api", "/mcp", "/metrics", "/healthz", "/readyz")
_UPLOADS = "/files"
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_MB = 1024 * 1024
_DRAINED = 16 * _MB

Count = Callable[[str, str, int, float], None]
"""Told of each request: route, method, status, seconds."""


@dataclass
class _State:
    status: int = 0
    received: int = 0
    too_large: bool = False


def is_api(path: str) -> bool:
    """Whether a path is the API's; the others are the page's."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in API_PREFIXES)


class Guard:
    """ASGI middleware. Paths of the page pass through untouched."""

    def __init__(self, app: ASGIApp, access: Access, max_request_mb: int, max_upload_mb: int, count: Count) -> None:
        self._app = app
        self._access = access
        self._limit = max_request_mb * _MB
        self._upload_limit = max_upload_mb * _MB
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        state = _State()
        limit = self._upload_limit if scope["path"].endswith(_UPLOADS) else self._limit
        told = _Telling(send, state, limit)
        try:
            self._access.check_origin(HTTPConnection(scope))
            _check_length(scope, limit)
        except ConsiliumError as error:
            await errors.reply_to(error)(scope, receive, told)
        else:
            await self._app(scope, _counting(receive, state, limit), told)
        finally:
            route = getattr(scope.get("route"), "path", "") or "other"
            self._count(route, scope["method"], state.status, time.perf_counter() - started)


def _check_length(scope: Scope, limit: int) -> None:
    length = HTTPConnection(scope).headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A request of this kind may have at most {limit // _MB} MB.")


def _counting(receive: Receive, state: _State, limit: int) -> Receive:
    """A body that tells no length is cut where the limit is."""

    async def counted() -> Message:
        if state.too_large:
            return {"type": "http.disconnect"}
        message = await receive()
        if message["type"] == "http.request":
            state.received += len(message.get("body", b""))
            state.too_large = state.received > limit
            if state.too_large:
                await _drain(receive, message)
        return {"type": "http.disconnect"} if state.too_large else message

    return counted


async def _drain(receive: Receive, message: Message) -> None:
    """Read some more and throw it away: a client that is still sending would lose the reply with its connection."""
    left = _DRAINED
    while left > 0 and message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
        left -= len(message.get("body", b""))


class _Telling:
    """Adds the headers, notes the status, and puts 413 in place of whatever the handler makes of a body that was cut."""

    def __init__(self, send: Send, state: _State, limit: int) -> None:
        self._send = send
        self._state = state
        self._limit = limit
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if self._state.too_large:
                self._replaced = True
                self._state.status = 413
                await self._refuse()
                return
            self._state.status = message["status"]
            _add(MutableHeaders(scope=message), _HEADERS)
        await self._send(message)

    async def _refuse(self) -> None:
        response = errors.reply_to(_too_large(self._limit))
        _add(response.headers, (*_HEADERS, ("Connection", "close")))
        start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": response.body})


def _add(headers: MutableHeaders, values: Iterable[tuple[str, str]]) -> None:
    for name, value in values:
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")

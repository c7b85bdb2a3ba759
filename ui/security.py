"""What surrounds every request to the page: security headers, refusal of other sites' requests, cookies that stay ours.

Cookies are HttpOnly and SameSite=Strict, and Secure unless the page is reached as this machine: off loopback it must be
served over TLS, by `tls_certificate` and `tls_key` or by a proxy in front. A request that changes something and comes from
another site is refused by its Origin or Sec-Fetch-Site (OWASP, Cross-Site Request Forgery Prevention). A browser that opens
the page gets a session cookie, to which the addresses of its images are bound (`ui/viewer/keys.py`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import cookie_parser

from core.settings import LOOPBACK_HOSTS
from ui.viewer.keys import COOKIE, new_session, session_in

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio writes its configuration into the page and compiles its HTML templates; nothing is loaded from elsewhere.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
_OVERRULED = frozenset(name for name, _ in HEADERS) | {b"access-control-allow-origin", b"access-control-allow-credentials"}


class Guard:
    """ASGI middleware. Pure: it holds nothing between requests."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Refuse, or pass on and complete the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] not in _SAFE_METHODS and from_elsewhere(asked):
            await _refuse(send)
            return
        secure = needs_secure_cookies(asked.get(b"host", ""))
        over_tls = scope.get("scheme") == "https"
        is_new = scope["method"] == "GET" and _is_page(scope) and not _session(asked.get(b"cookie", ""))

        async def completed(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, _cookie(value, secure) if name.lower() == b"set-cookie" else value)
                    for name, value in message["headers"]
                    if name.lower() not in _OVERRULED
                ]
                extra = [_TRANSPORT] if over_tls else []
                if is_new:
                    extra.append((b"set-cookie", _cookie(f"{COOKIE}={new_session()}; Path=/".encode(), secure)))
                message = {**message, "headers": [*kept, *HEADERS, *extra]}
            await send(message)

        await self._app(scope, receive, completed)


def from_elsewhere(asked: dict[bytes, str]) -> bool:
    """Whether a browser says that another site made this request."""
    site = asked.get(b"sec-fetch-site", "")
    if site in ("cross-site", "same-site"):
        return True
    origin = asked.get(b"origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() != asked.get(b"host", "").lower()


def needs_secure_cookies(host: str) -> bool:
    """Any name but this machine's."""
    return urlsplit(f"//{host}").hostname not in LOOPBACK_HOSTS


def _is_page(scope: Any) -> bool:
    return str(scope.get("path", "")).removeprefix(str(scope.get("root_path", ""))) == "/"


def _session(header: str) -> str:
    return session_in(cookie_parser(header)) if header else ""


def _cookie(value: bytes, secure: bool) -> bytes:
    parts = [part.strip() for part in value.decode("latin-1").split(";")]
    kept = [part for part in parts if part.split("=")[0].lower() not in ("httponly", "samesite", "secure")]
    return "; ".join([*kept, "HttpOnly", "SameSite=Strict", *(["Secure"] if secure else [])]).encode("latin-1")


async def _refuse(send: Any) -> None:
    body = b"This request comes from another site and is refused."
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *HEADERS]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})

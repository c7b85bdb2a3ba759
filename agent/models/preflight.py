"""What an endpoint can really do, asked once and remembered.

A model's card does not tell: chat templates without a section for tools never call, parsers miss a family's way of writing
calls, a server may be started without images. Each check is one small request whose answer can be judged without
understanding it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import httpx
from PIL import Image
from pydantic import ValidationError

from agent.models.endpoint import Endpoint
from core.types import Frozen

PROBE_TOOL = "report_number"
"""Name of the tool that the checks offer; no tool of ours has it."""
CHECK_HEADER = "X-Consilium-Check"
"""Tells the endpoint's log which check a request belongs to."""
_TIMEOUT_S = 60.0
_KEPT_S = 24 * 3600.0
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"number": {"type": "integer", "enum": [3, 5, 7]}},
    "required": ["number"],
    "additionalProperties": False,
}

Planner = Literal["native", "guided", "none"]


class Check(Frozen):
    """One ability: whether it was seen to work, and what was seen."""

    name: str
    works: bool
    seen: str
    seconds: float


class Preflight(Frozen):
    """All checks of one model at one endpoint."""

    endpoint: str
    model: str
    checked: float
    context: int | None
    checks: tuple[Check, ...]
    identity: str = ""

    def works(self, name: str) -> bool:
        """Whether the named check passed."""
        return any(check.works for check in self.checks if check.name == name)

    @property
    def planner(self) -> Planner:
        """How tool calls are planned: natively where that works, else by schema-guided JSON, else not at all."""
        if self.works("native tool calls"):
            return "native"
        return "guided" if self.works("JSON schema") else "none"


def preflight(endpoint: Endpoint, key: str, cache: Path, *, fresh: bool = False) -> Preflight:
    """Check an endpoint, or take what was seen within the last day of the same model behind it."""
    path = cache / f"{hashlib.sha256(f'{endpoint.base_url}|{endpoint.model}'.encode()).hexdigest()[:24]}.json"
    if not fresh and (kept := _kept(path, endpoint.identity)) is not None:
        return kept
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=f"{endpoint.base_url}/", headers=headers, timeout=_TIMEOUT_S) as client:
        checks = tuple(_checked(name, check, client, endpoint.model) for name, check in _CHECKS.items())
        context = _context(client, endpoint.model)
    done = Preflight(
        endpoint=endpoint.base_url, model=endpoint.model, checked=time.time(), context=context, checks=checks,
        identity=endpoint.identity,
    )  # fmt: skip
    if done.works("text"):  # an endpoint that could not even answer is asked again next time
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(done.model_dump_json(), encoding="utf-8")
    return done


def _kept(path: Path, identity: str) -> Preflight | None:
    try:
        kept = Preflight.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    same = kept.identity == identity and {check.name for check in kept.checks} == set(_CHECKS)
    return kept if same and 0 <= time.time() - kept.checked < _KEPT_S else None


_Seen = tuple[bool, str]


def _checked(name: str, check: Callable[[httpx.Client, str], _Seen], client: httpx.Client, model: str) -> Check:
    started = time.perf_counter()
    client.headers[CHECK_HEADER] = name
    try:
        works, seen = check(client, model)
    except httpx.HTTPError as error:
        works, seen = False, f"{type(error).__name__}: {error}"[:160]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        works, seen = False, f"the reply is not the protocol ({type(error).__name__})"
    return Check(name=name, works=works, seen=seen, seconds=round(time.perf_counter() - started, 2))


def _ask(client: httpx.Client, model: str, content: object, **more: object) -> dict[str, Any]:
    """One completion; returns its message. Raises `ValueError` with the server's own words when it refuses."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 48, "temperature": 0, **more}
    reply = client.post("chat/completions", json=body)
    if reply.status_code != 200:
        raise httpx.HTTPStatusError(
            f"{reply.status_code} {' '.join(reply.text.split())[:120]}", request=reply.request, response=reply
        )
    message: dict[str, Any] = reply.json()["choices"][0]["message"]
    return message


def _text(client: httpx.Client, model: str) -> _Seen:
    content = str(_ask(client, model, "Say: ready")["content"] or "")
    return bool(content), f"answered {len(content)} characters"


def _streaming(client: httpx.Client, model: str) -> _Seen:
    body = {"model": model, "messages": [{"role": "user", "content": "Count to five."}], "max_tokens": 24, "stream": True}
    chunks = 0
    with client.stream("POST", "chat/completions", json=body) as reply:
        reply.raise_for_status()
        for line in reply.iter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                chunks += 1
    return chunks > 1, f"{chunks} pieces"


def _tools() -> dict[str, Any]:
    function = {"name": PROBE_TOOL, "description": "Reports one number.", "parameters": _PARAMETERS}
    return {"tools": [{"type": "function", "function": function}], "tool_choice": "auto"}


def _native(client: httpx.Client, model: str) -> _Seen:
    message = _ask(client, model, f"Call the tool {PROBE_TOOL} with the number 7.", **_tools())
    return _reported(message, {7})


def _parallel(client: httpx.Client, model: str) -> _Seen:
    words = f"Call the tool {PROBE_TOOL} twice in one reply: with the number 3 and with the number 5."
    return _reported(_ask(client, model, words, max_tokens=128, **_tools()), {3, 5})


def _reported(message: dict[str, Any], wanted: set[int]) -> _Seen:
    calls = message.get("tool_calls") or []
    if not calls:
        return False, "no call; it answered in text"
    numbers = {json.loads(call["function"]["arguments"]).get("number") for call in calls}
    names = {call["function"]["name"] for call in calls}
    return numbers == wanted and names == {PROBE_TOOL}, f"called {', '.join(sorted(names))} {len(calls)} time(s)"


def _schema(client: httpx.Client, model: str) -> _Seen:
    schema = {"name": "number", "schema": _PARAMETERS, "strict": True}
    form = {"type": "json_schema", "json_schema": schema}
    content = _ask(client, model, "Answer with the number 7 as JSON.", max_tokens=64, response_format=form)["content"]
    parsed = json.loads(content)
    fits = isinstance(parsed, dict) and set(parsed) == {"number"} and isinstance(parsed["number"], int)
    return fits, "the reply follows the schema" if fits else "the reply does not follow the schema"


def _vision(client: httpx.Client, model: str) -> _Seen:
    buffer = io.BytesIO()
    Image.new("RGB", (56, 56), (200, 30, 30)).save(buffer, format="PNG")
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": "Which colour is this?"}]
    return True, f"took an image, answered {len(str(_ask(client, model, content)['content'] or ''))} characters"


def _usage(client: httpx.Client, model: str) -> _Seen:
    body = {
        "model": model, "messages": [{"role": "user", "content": "Say: ready"}], "max_tokens": 4, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    with client.stream("POST", "chat/completions", json=body) as reply:
        reply.raise_for_status()
        pieces = [json.loads(line[6:]) for line in reply.iter_lines() if line.startswith("data: {")]
    told = [piece["usage"] for piece in pieces if piece.get("usage")]
    return bool(told), f"{told[-1]['prompt_tokens']} tokens read" if told else "streams end without counts"


def _logprobs(client: httpx.Client, model: str) -> _Seen:
    body = {
        "model": model, "messages": [{"role": "user", "content": "Say: ready"}], "max_tokens": 1, "temperature": 0,
        "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip
    reply = client.post("chat/completions", json=body)
    reply.raise_for_status()
    told = (reply.json()["choices"][0].get("logprobs") or {}).get("content") or [{}]
    count = len(told[0].get("top_logprobs") or ())
    return count > 0, f"{count} alternatives of a token"


def _echo(client: httpx.Client, model: str) -> _Seen:
    body = {"model": model, "prompt": "one two", "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
    reply = client.post("completions", json=body)
    reply.raise_for_status()
    told = reply.json()["choices"][0].get("logprobs") or {}
    scored = [value for value in told.get("token_logprobs") or () if isinstance(value, (int, float))]
    works = bool(scored) and len(told.get("text_offset") or ()) == len(told["token_logprobs"])
    return works, f"{len(scored)} tokens of a prompt scored"


def _count(client: httpx.Client, model: str) -> _Seen:
    url = f"{str(client.base_url).rstrip('/').removesuffix('/v1')}/tokenize"
    reply = client.post(url, json={"model": model, "messages": [{"role": "user", "content": "one two three"}]})
    reply.raise_for_status()
    count = reply.json()["count"]
    return isinstance(count, int) and count > 0, f"{count} tokens counted"


def _context(client: httpx.Client, model: str) -> int | None:
    try:
        served = client.get("models").json()["data"]
        length = next(item for item in served if item["id"] == model).get("max_model_len")
    except (httpx.HTTPError, ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return None
    return length if isinstance(length, int) else None


_CHECKS: dict[str, Callable[[httpx.Client, str], _Seen]] = {
    "text": _text,
    "streaming": _streaming,
    "native tool calls": _native,
    "parallel tool calls": _parallel,
    "JSON schema": _schema,
    "images": _vision,
    "usage in streams": _usage,
    "token counts": _count,
    "log-probabilities": _logprobs,
    "echoed log-probabilities": _echo,
}

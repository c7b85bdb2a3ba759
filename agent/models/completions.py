"""Single requests to an OpenAI-compatible endpoint, outside the agent's loop: what strategies and token counts need.

The agent talks through LangChain; here the request is ours to the letter, so that log-probabilities, seeds and counts of
tokens come back as the endpoint tells them. The same transport is used, so a stop reaches these requests too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import httpx

from agent.models.endpoint import CONNECT_S, Endpoint
from agent.models.lines import NotedTransport
from agent.models.tokens import estimate_messages, estimate_text
from agent.shield import current_shield, hidden_protocol
from core.errors import EndpointError

Message = dict[str, Any]
"""One message of the protocol: role and content, text or parts."""


@dataclass(frozen=True)
class Request:
    """One chat completion. `top_logprobs` over 0 asks for the alternatives of the first token."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    top_logprobs: int = 0


@dataclass(frozen=True)
class Usage:
    """Tokens of one request; `estimated` when the endpoint did not tell."""

    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False


@dataclass(frozen=True)
class Reply:
    """What came back. `first_token` maps the alternatives of the first token to their log-probabilities."""

    text: str
    cut: bool
    usage: Usage
    first_token: dict[str, float]


@dataclass(frozen=True)
class Likelihood:
    """Log-probability (natural) of a continuation, summed over its `tokens`."""

    total: float
    tokens: int
    usage: Usage

    @property
    def per_token(self) -> float:
        """Mean log-probability of a token, so that long continuations are not punished for their length."""
        return self.total / self.tokens


class Completions:
    """An endpoint, asked directly. Safe to use from several threads.

    An endpoint that is not on this machine gets no identifiers: they are replaced by the conversation's shield, and put
    back in the reply.
    """

    def __init__(self, endpoint: Endpoint, key: str, silence_s: float) -> None:
        self.endpoint = endpoint
        self._shielded = not endpoint.is_local
        self._client = httpx.Client(
            base_url=f"{endpoint.base_url}/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(silence_s, connect=CONNECT_S),
            transport=NotedTransport(),
            follow_redirects=True,
        )

    def chat(self, request: Request) -> Reply:
        """One chat completion.

        Raises:
            EndpointError: down, silent, an error status, or not the protocol.
        """
        shield = current_shield() if self._shielded else None
        messages = request.messages if shield is None else hidden_protocol(request.messages, shield)
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": list(messages),
            "max_completion_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        told = self._post("chat/completions", body)
        try:
            choice = told["choices"][0]
            text = str(choice["message"].get("content") or "")
            usage = _usage(told, estimate_messages(messages), estimate_text(text))
            text = text if shield is None else shield.show(text)
            return Reply(text, choice.get("finish_reason") == "length", usage, _first_token(choice))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise self._not_the_protocol() from error

    def likelihood(self, prompt: str, continuation: str) -> Likelihood:
        """Log-probability of `continuation` after `prompt`, by echoing both (`/completions` with `echo`).

        Tokens are told apart by their place in the text; one that reaches over the seam counts to the continuation.

        Raises:
            EndpointError: as `chat`, or the endpoint echoes no log-probabilities.
        """
        if self._shielded:
            shield = current_shield()
            prompt, continuation = shield.hide(prompt), shield.hide(continuation)
        text = prompt + continuation
        body = {
            "model": self.endpoint.model, "prompt": text, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0,
        }  # fmt: skip
        told = self._post("completions", body)
        try:
            scored = told["choices"][0]["logprobs"]
            places, tokens, values = scored["text_offset"], scored["tokens"], scored["token_logprobs"]
            kept = [
                float(value)
                for place, token, value in zip(places, tokens, values, strict=True)
                if value is not None and place < len(text) and place + len(token) > len(prompt)
            ]
            usage = _usage(told, estimate_text(text), 1)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise self._not_the_protocol() from error
        if not kept or not all(math.isfinite(value) for value in kept):
            raise EndpointError(f"The model endpoint {self.endpoint.base_url} gave no log-probabilities of the prompt.")
        return Likelihood(sum(kept), len(kept), usage)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        where = self.endpoint.base_url
        try:
            reply = self._client.post(path, json=body)
            reply.raise_for_status()
            told = reply.json()
        except httpx.TimeoutException as error:
            raise EndpointError(f"The model endpoint {where} was silent for too long.") from error
        except httpx.HTTPStatusError as error:
            words = " ".join(error.response.text.split())[:160]
            raise EndpointError(f"The model endpoint {where} answered {error.response.status_code}: {words}") from error
        except httpx.HTTPError as error:
            raise EndpointError(f"The model endpoint {where} cannot be reached or broke off: {error}.") from error
        except ValueError as error:
            raise self._not_the_protocol() from error
        if not isinstance(told, dict):
            raise self._not_the_protocol()
        return told

    def _not_the_protocol(self) -> EndpointError:
        return EndpointError(f"The model endpoint {self.endpoint.base_url} answered something that is not the protocol.")


def _usage(told: dict[str, Any], prompt: int, completion: int) -> Usage:
    usage = told.get("usage")
    if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
        return Usage(usage["prompt_tokens"], int(usage.get("completion_tokens") or 0))
    return Usage(prompt, completion, estimated=True)


def _first_token(choice: dict[str, Any]) -> dict[str, float]:
    content = (choice.get("logprobs") or {}).get("content") or []
    if not content:
        return {}
    return {str(item["token"]): float(item["logprob"]) for item in content[0].get("top_logprobs") or ()}

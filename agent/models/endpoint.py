"""Any OpenAI-compatible endpoint as the agent's model; vLLM is the one we document."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import openai
from langchain_openai import ChatOpenAI

from agent.models.lines import NotedTransport
from agent.models.stream import StreamedCompletions
from core.errors import EndpointError
from core.settings import LOOPBACK_HOSTS, Settings

CONNECT_S = 5.0


@dataclass(frozen=True)
class Endpoint:
    """Where the model is, and which.

    `others` are served there too and were not asked for. `identity` tells one model from another under the same name: it
    changes with the weights' place and the context, as far as the endpoint tells them.
    """

    base_url: str
    model: str
    others: tuple[str, ...] = ()
    identity: str = ""

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine."""
        return urlsplit(self.base_url).hostname in LOOPBACK_HOSTS


def find_endpoint(settings: Settings) -> Endpoint:
    """Ask the endpoint which models it serves and choose one.

    Raises:
        EndpointError: it is down, too slow, speaks something else, or has several models and none is chosen.
    """
    key = settings.api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    candidates = [settings.model] if settings.model.endswith("/v1") else [f"{settings.model}/v1", settings.model]
    last = ""
    for base in candidates:
        try:
            reply = httpx.get(f"{base}/models", headers=headers, timeout=httpx.Timeout(10.0, connect=CONNECT_S))
            reply.raise_for_status()
            cards = {str(item["id"]): item for item in reply.json()["data"]}
        except httpx.TimeoutException as error:
            raise EndpointError(f"The model endpoint {base} did not answer within 10 s.") from error
        except httpx.HTTPStatusError as error:
            last = f"it answered {error.response.status_code} to GET {base}/models"
        except httpx.HTTPError as error:
            raise EndpointError(f"The model endpoint {base} cannot be reached: {error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError):
            last = f"its answer to GET {base}/models is not the OpenAI protocol"
        else:
            model = _choose(base, list(cards), settings.model_name)
            others = () if settings.model_name else tuple(name for name in cards if name != model)
            return Endpoint(base, model, others, _identity(cards[model]))
    raise EndpointError(f"The model endpoint {settings.model} cannot be used: {last}.")


def _choose(base: str, names: list[str], wanted: str) -> str:
    """The one that was asked for, else the first: vLLM lists the base model before its adapters."""
    if not names:
        raise EndpointError(f"The endpoint {base} serves no model.")
    if wanted and wanted not in names:
        raise EndpointError(f"The endpoint {base} does not serve {wanted!r}. It serves: {', '.join(names)}.")
    return wanted or names[0]


def _identity(card: dict[str, object]) -> str:
    """VLLM's card has the model's folder or name (`root`), its base (`parent`) and context; `created` is only the time."""
    told = [str(card.get(name, "")) for name in ("id", "root", "parent", "max_model_len", "owned_by")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def chat_model(endpoint: Endpoint, settings: Settings, *, usage: bool = False) -> ChatOpenAI:
    """The chat model; no retries of its own, so that a fault is told at once.

    `usage` asks for the counts of tokens at the end of a stream, which some servers refuse.
    """
    http = httpx.Client(
        transport=NotedTransport(), follow_redirects=True,
        timeout=httpx.Timeout(settings.endpoint_timeout_s, connect=CONNECT_S),
    )  # fmt: skip
    key = settings.api_key.get_secret_value() or "none"
    chat = ChatOpenAI(
        base_url=endpoint.base_url,
        model=endpoint.model,
        api_key=settings.api_key if settings.api_key.get_secret_value() else "none",
        timeout=httpx.Timeout(settings.endpoint_timeout_s, connect=CONNECT_S),
        max_retries=0,
        max_completion_tokens=settings.answer_tokens,
        http_client=http,
        streaming=True,
        stream_usage=usage,
        temperature=0,
        use_responses_api=False,
    )
    chat.client = StreamedCompletions(chat.client, http, endpoint.base_url, key)
    return chat


def explain(error: Exception, endpoint: str) -> EndpointError | None:
    """An error of the client library in words a person can act on; None when it is something else."""
    kept = "The conversation is kept; ask again when the endpoint is back."
    if isinstance(error, (openai.APITimeoutError, httpx.TimeoutException)):
        return EndpointError(f"The model endpoint {endpoint} was silent for too long. {kept}")
    if isinstance(error, (openai.APIConnectionError, httpx.TransportError)):
        return EndpointError(f"The model endpoint {endpoint} cannot be reached or broke off. {kept}")
    if isinstance(error, openai.RateLimitError):
        return EndpointError(f"The model endpoint {endpoint} refuses more requests now (429). {kept}")
    if isinstance(error, openai.BadRequestError):
        return EndpointError(f"{_refusal(error, endpoint)} {kept}")
    if isinstance(error, openai.APIStatusError):
        return EndpointError(f"The model endpoint {endpoint} answered {error.status_code}. {kept}")
    if isinstance(error, (openai.OpenAIError, ValueError, TypeError, KeyError, AttributeError)):
        return EndpointError(f"The model endpoint {endpoint} answered something that is not the protocol. {kept}")
    return None


def is_down(error: Exception, endpoint: str) -> bool:
    """Whether an error tells of the endpoint's own fault; a request that it refused (400) does not."""
    return not isinstance(error, openai.BadRequestError) and explain(error, endpoint) is not None


def refuses_pictures(error: openai.BadRequestError) -> bool:
    """Whether an endpoint says that it takes no pictures, or not these."""
    return bool(re.search(r"image|multimodal|multi-modal|mm_", str(error.message), re.IGNORECASE))


def _refusal(error: openai.BadRequestError, endpoint: str) -> str:
    """Why a request was refused, where the endpoint's words tell it."""
    words = " ".join(str(error.message).split())
    if re.search(r"context length|maximum context|max_model_len|too many tokens|prompt is too long", words, re.IGNORECASE):
        return f"The question does not fit into the context of the model at {endpoint}: {words[:200]}"
    if refuses_pictures(error):
        return f"The model at {endpoint} refused the pictures: {words[:200]}"
    return f"The model endpoint {endpoint} refused the request (400): {words[:200]}"

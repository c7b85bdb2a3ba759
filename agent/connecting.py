"""From the settings to a served model that is ready: found, checked, profiled. Looked at again when it may have changed."""

from __future__ import annotations

import threading
import time
from functools import partial

from agent.by_strategy import Ways
from agent.eyes import Eyes
from agent.models.completions import Completions
from agent.models.endpoint import Endpoint, chat_model, find_endpoint
from agent.models.guided import GuidedChatModel
from agent.models.preflight import Preflight, preflight
from agent.models.profiles import Profile, profile_of
from agent.models.tokens import count_at
from agent.ready_model import ReadyModel
from agent.served import Served
from agent.shield import ShieldedChatModel, current_shield, hidden_protocol
from agent.strategies.standard import asker_of, standard_strategies
from agent.window import Counter, Window
from core.errors import EndpointError
from core.ports import Encoder
from core.settings import Settings

_LOOK_AGAIN_S = 15.0


class Connector:
    """Gives the model that the endpoint serves now.

    Another model may stand behind the same address after a restart: who is served is asked again, at most every 15 s, and
    a model that is another one is checked anew. While the endpoint does not answer that, the last model is kept, and the
    fault shows in the turn itself.
    """

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        self._settings = settings
        self._encoder = encoder
        self._ready: ReadyModel | None = None
        self._endpoint: Endpoint | None = None
        self._looked = 0.0
        self._alone = threading.Lock()

    def connect(self) -> ReadyModel:
        """The model, ready to use. Raises `EndpointError` until it was reached once, and when it cannot be used."""
        with self._alone:
            if self._ready is not None and time.monotonic() - self._looked < _LOOK_AGAIN_S:
                return self._ready
            try:
                endpoint = find_endpoint(self._settings)
            except EndpointError:
                if self._ready is None:
                    raise
                return self._ready
            self._looked = time.monotonic()
            if self._ready is None or endpoint != self._endpoint:
                self._ready = served_model(self._settings, endpoint, self._encoder)
                self._endpoint = endpoint
            return self._ready


def served_model(settings: Settings, endpoint: Endpoint, encoder: Encoder) -> ReadyModel:
    """Check an endpoint's model and set up all that the agent needs of it.

    Raises:
        EndpointError: it can neither call tools nor keep to a schema.
    """
    key = settings.api_key.get_secret_value()
    seen = preflight(endpoint, key, settings.home / "preflight")
    planner = seen.planner if settings.planner == "auto" else settings.planner
    if planner == "none":
        raise EndpointError(
            f"The model {endpoint.model} at {endpoint.base_url} can neither call tools nor keep to a JSON schema, so no "
            "answer of it could rest on evidence. `consilium vllm check URL` shows what was tried."
        )
    # A reply may take half of the context at most: the rest is the request's.
    most = min(settings.answer_tokens, max(1, context_of(settings, endpoint, seen) // 2))
    settings = settings.model_copy(update={"answer_tokens": most})
    chat = chat_model(endpoint, settings, usage=seen.works("usage in streams"))
    driver = GuidedChatModel(model=chat) if planner == "guided" else chat
    return ReadyModel(
        driver if endpoint.is_local else ShieldedChatModel.over(driver),
        endpoint.model,
        endpoint.base_url,
        keeps_data_here=endpoint.is_local,
        abilities=abilities(seen, planner, endpoint),
        served=_served(settings, endpoint, seen, encoder),
        table=seen.checks,
    )


def _served(settings: Settings, endpoint: Endpoint, seen: Preflight, encoder: Encoder) -> Served:
    profile = profile_of(endpoint.model)
    context = context_of(settings, endpoint, seen)
    window = Window(context, settings.answer_tokens, profile.image_tokens)
    if seen.works("token counts"):
        counter: Counter = partial(count_at, endpoint.base_url, endpoint.model, settings.api_key.get_secret_value())
        counter = counter if endpoint.is_local else _shielded(counter)
        window = Window(context, settings.answer_tokens, profile.image_tokens, counter)
    return Served(
        eyes=_eyes(seen, endpoint, profile, context, settings.answer_tokens),
        window=window,
        ways=ways_of(settings, endpoint, seen, encoder),
        patience_s=settings.rate_limit_wait_s,
        notes=_notes(endpoint),
    )


def _shielded(count: Counter) -> Counter:
    """Counts what would be sent, which is what may leave."""
    return lambda messages, tools: count(hidden_protocol(messages, current_shield()), tools)


def ways_of(settings: Settings, endpoint: Endpoint, seen: Preflight, encoder: Encoder) -> Ways:
    """The strategies, and which of them the endpoint can do."""
    profile = profile_of(endpoint.model)
    completions = Completions(endpoint, settings.api_key.get_secret_value(), settings.endpoint_timeout_s)
    echoes = seen.works("echoed log-probabilities")
    return Ways(
        standard_strategies(settings, encoder, "cloze" if echoes else "letters"),
        settings.strategy,
        echoes or seen.works("log-probabilities"),
        asker_of(settings, completions, context_of(settings, endpoint, seen), profile.image_tokens),
    )


def context_of(settings: Settings, endpoint: Endpoint, seen: Preflight) -> int:
    """As set, else as the endpoint tells, else what we would serve this family with."""
    return settings.context_tokens or seen.context or profile_of(endpoint.model).context


def _eyes(seen: Preflight, endpoint: Endpoint, profile: Profile, context: int, answer_tokens: int) -> Eyes | None:
    """As many pictures as the family takes, and no more than half of what the context holds beside the answer."""
    if not seen.works("images"):
        return None
    room = (context - min(answer_tokens, context // 2)) // 2 // max(profile.image_tokens, 1)
    count = max(1, min(profile.images or 1, room))
    return Eyes(images=count, max_pixels=profile.image_pixels, stays_here=endpoint.is_local)


def _notes(endpoint: Endpoint) -> tuple[str, ...]:
    if not endpoint.others:
        return ()
    return (
        f"The endpoint serves several models; {endpoint.model} was asked, which comes first. Others: "
        f"{', '.join(endpoint.others)}. --model-name picks.",
    )


def abilities(seen: Preflight, planner: str, endpoint: Endpoint) -> str:
    """What the model can do, in one line."""
    how = "native tool calls" if planner == "native" else "tool calls by schema-guided JSON"
    images = "reads images" if seen.works("images") else "reads no images"
    context = f", context of {seen.context} tokens" if seen.context else ""
    others = f"; chosen of {', '.join((endpoint.model, *endpoint.others))}, --model-name picks" if endpoint.others else ""
    return f"{how}, {images}{context}{others}"

"""The composition root: the one place where objects are built from settings."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from agent.assistant import Assistant, ReadyModel
from agent.eyes import Eyes
from agent.models.profiles import profile_of
from core.errors import EndpointError
from core.ports import Retriever, SearchFilters, SearchOutcome
from core.settings import Settings
from tools.registry import standard_tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.models.endpoint import Endpoint
    from agent.models.preflight import Preflight
    from retrieval.encoders import MiniLM
    from tools.registry import Registry


class _BackgroundSearch:
    """The literature indexes, opened in the background so that the start is quick; the first search waits for them."""

    def __init__(self, settings: Settings, encoder: MiniLM) -> None:
        self._ready: Future[Retriever] = Future()
        threading.Thread(target=self._open, args=(settings, encoder), name="open-index").start()

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """Search once the indexes are open."""
        return self._ready.result().search(query, k, filters)

    def _open(self, settings: Settings, encoder: MiniLM) -> None:
        from retrieval.several import open_indexes

        try:
            encoder.load()
            self._ready.set_result(open_indexes(settings.home, settings.indexes, encoder))
        except BaseException as error:  # told to whoever searches
            self._ready.set_exception(error)


def build_registry(settings: Settings) -> Registry:
    """The tools alone, with the literature indexes of these settings."""
    from retrieval.encoders import MiniLM

    return standard_tools(_BackgroundSearch(settings, MiniLM()))


def build_assistant(settings: Settings) -> Assistant:
    """Build everything. Quick: weights and indexes load in the background."""
    from retrieval.encoders import MiniLM

    encoder = MiniLM()
    registry = standard_tools(_BackgroundSearch(settings, encoder))
    return Assistant(settings, registry, _connector(settings, registry, encoder))


def _connector(settings: Settings, registry: Registry, encoder: MiniLM) -> Callable[[], ReadyModel]:
    if settings.model == "embedded":
        from agent.models.embedded import EmbeddedChatModel

        embedded = ReadyModel(EmbeddedChatModel(registry=registry, encoder=encoder), name="embedded")
        return lambda: embedded
    found: list[ReadyModel] = []
    alone = threading.Lock()

    def connect() -> ReadyModel:
        """Look the endpoint up and check it until it answers once; faults after that show in the turn itself."""
        with alone:
            if not found:
                found.append(_served(settings))
            return found[0]

    return connect


def _served(settings: Settings) -> ReadyModel:
    from agent.models.endpoint import chat_model, find_endpoint
    from agent.models.guided import GuidedChatModel
    from agent.models.preflight import preflight
    from agent.shield import ShieldedChatModel

    endpoint = find_endpoint(settings)
    seen = preflight(endpoint, settings.api_key.get_secret_value(), settings.home / "preflight")
    planner = seen.planner if settings.planner == "auto" else settings.planner
    if planner == "none":
        raise EndpointError(
            f"The model {endpoint.model} at {endpoint.base_url} can neither call tools nor keep to a JSON schema, so no "
            "answer of it could rest on evidence. `consilium vllm check URL` shows what was tried."
        )
    chat = chat_model(endpoint, settings)
    driver = GuidedChatModel(model=chat) if planner == "guided" else chat
    return ReadyModel(
        driver if endpoint.is_local else ShieldedChatModel.over(driver),
        endpoint.model,
        endpoint.base_url,
        keeps_data_here=endpoint.is_local,
        abilities=_abilities(seen, planner),
        eyes=_eyes(seen, endpoint),
    )


def _eyes(seen: Preflight, endpoint: Endpoint) -> Eyes | None:
    if not seen.works("images"):
        return None
    profile = profile_of(endpoint.model)
    return Eyes(images=max(profile.images, 1), max_pixels=profile.image_pixels, stays_here=endpoint.is_local)


def _abilities(seen: Preflight, planner: str) -> str:
    how = "native tool calls" if planner == "native" else "tool calls by schema-guided JSON"
    images = "reads images" if seen.works("images") else "reads no images"
    context = f", context of {seen.context} tokens" if seen.context else ""
    return f"{how}, {images}{context}"

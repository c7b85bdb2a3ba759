"""The composition root: the one place where objects are built from settings."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from agent.assistant import Assistant, ReadyModel
from core.errors import SettingError
from core.ports import Retriever, SearchFilters, SearchOutcome
from core.settings import Settings
from tools.registry import standard_tools

if TYPE_CHECKING:
    from collections.abc import Callable

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


def build_assistant(settings: Settings) -> Assistant:
    """Build everything. Quick: weights and indexes load in the background."""
    from retrieval.encoders import MiniLM

    encoder = MiniLM()
    registry = standard_tools(_BackgroundSearch(settings, encoder))
    return Assistant(settings, registry, _connector(settings, registry, encoder))


def _connector(settings: Settings, registry: Registry, encoder: MiniLM) -> Callable[[], ReadyModel]:
    if settings.model == "embedded":
        from agent.models.embedded import EmbeddedChatModel

        if settings.strategy not in ("auto", "plain"):
            raise SettingError(
                f"The strategy {settings.strategy} needs a served model (--model URL); the embedded one generates nothing "
                "and allows: auto, plain."
            )

        embedded = ReadyModel(EmbeddedChatModel(registry=registry, encoder=encoder), name="embedded")
        return lambda: embedded
    from agent.connecting import Connector

    return Connector(settings, encoder).connect

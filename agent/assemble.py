"""The composition root: the one place where objects are built from settings."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from agent.assistant import Assistant
from agent.documents import AttachedDocuments
from agent.library import Library
from agent.ready_model import ReadyModel
from core.errors import SettingError
from core.ports import ImageEncoder, NeighbourOutcome, Picture, Retriever, SearchFilters, SearchOutcome
from core.settings import Settings
from tools.registry import standard_tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from retrieval.encoders import MiniLM
    from retrieval.images.search import ImageSearch
    from tools.registry import Registry


_log = logging.getLogger(__name__)


class _BackgroundSearch:
    """The literature indexes, opened in the background so that the start is quick; the first search waits for them."""

    def __init__(self, settings: Settings, encoder: MiniLM, library: Library) -> None:
        self._library = library
        self._names = settings.indexes
        self._ready: Future[Retriever] = Future()
        threading.Thread(target=self._open, args=(settings, encoder), name="open-index").start()

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """Search once the indexes are open."""
        ready = self._ready.result()
        wanted = (filters.corpora if filters is not None else ()) or self._library.by_default()
        if not set(wanted) <= set(self._names):  # collections that were made since the start, or that a person chose
            return self._library.retriever(wanted).search(query, k, filters)
        return ready.search(query, k, filters)

    def _open(self, settings: Settings, encoder: MiniLM) -> None:
        try:
            encoder.load()
            self._ready.set_result(self._library.retriever(settings.indexes))
        except BaseException as error:  # told to whoever searches
            self._ready.set_exception(error)


class _ImageIndexes:
    """The image indexes of the home folder, looked up at each search: one that was made since is found."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, ImageSearch] = {}
        self._encoders: dict[str, ImageEncoder] = {}

    def search(self, query: Picture, k: int, box: tuple[float, float, float, float] | None = None) -> NeighbourOutcome:
        """Neighbours in all indexes."""
        from retrieval.images.index import ImageIndex, encoder_of
        from retrieval.images.search import ImageSearch, SeveralImageIndexes

        folders = sorted(path.parent for path in (self._settings.home / "image-indexes").glob("*/CURRENT"))
        for folder in folders:
            if folder.name not in self._open:
                wanted = encoder_of(folder)
                if wanted not in self._encoders:
                    self._encoders[wanted] = image_encoder(self._settings, wanted)
                self._open[folder.name] = ImageSearch(ImageIndex(folder, self._encoders[wanted]))
        return SeveralImageIndexes([self._open[folder.name] for folder in folders]).search(query, k, box)


def image_encoder(settings: Settings, name: str | None = None) -> ImageEncoder:
    """The encoder of images: the one that ships, a `transformers` folder or weights file of ours, or an endpoint.

    Raises:
        FileError: there is no such folder or file.
        EndpointError: the endpoint gives no vectors.
    """
    wanted = name or settings.image_encoder
    if wanted.startswith(("http://", "https://")):
        from retrieval.images.endpoint_encoder import EndpointImageEncoder

        url, _, model = wanted.partition("#")
        return EndpointImageEncoder(url, model, settings.api_key.get_secret_value())
    if wanted and Path(wanted).suffix != ".safetensors":
        from retrieval.images.transformers_encoder import TransformersImageEncoder

        return TransformersImageEncoder(Path(wanted))
    from retrieval.images.encoder import SmallFilmEncoder, own_encoder

    return own_encoder(Path(wanted)) if wanted else SmallFilmEncoder()


def build_registry(settings: Settings) -> Registry:
    """The tools alone, with the literature and image indexes of these settings."""
    from retrieval.encoders import MiniLM

    encoder = MiniLM()
    return _registry(settings, encoder, _library(settings, encoder))


def _library(settings: Settings, encoder: MiniLM) -> Library:
    images: list[ImageEncoder] = []  # built when an image collection is first looked at

    def encode_images() -> ImageEncoder:
        if not images:
            images.append(image_encoder(settings))
        return images[0]

    return Library(settings, encoder, encode_images)


def _registry(settings: Settings, encoder: MiniLM, library: Library) -> Registry:
    searches = _BackgroundSearch(settings, encoder, library)
    return standard_tools(searches, _ImageIndexes(settings), AttachedDocuments(encoder))


def build_assistant(settings: Settings) -> Assistant:
    """Build everything. Quick: weights and indexes load in the background."""
    from retrieval.encoders import MiniLM

    encoder = MiniLM()
    library = _library(settings, encoder)
    registry = _registry(settings, encoder, library)
    connect = _connector(settings, registry, encoder)
    return Assistant(
        settings,
        _with_remote(settings, registry),
        connect,
        library,
        lambda changed: _connector(changed, registry, encoder),
    )


def _with_remote(settings: Settings, registry: Registry) -> Registry:
    """Add the site's own tools. The embedded model does not plan with them: it has no examples of how they are asked for."""
    if not settings.mcp_servers:
        return registry
    from tools.remote.mcp_tool import tools_of

    with ThreadPoolExecutor(len(settings.mcp_servers)) as pool:
        found = list(pool.map(lambda server: tools_of(server, registry.names()), settings.mcp_servers))
    for tools, problems in found:
        for problem in problems:
            _log.warning("%s", problem)
        clash = [tool.spec.name for tool in tools if tool.spec.name in registry.names()]
        if clash:
            _log.warning("refused, there are tools of these names already: %s", ", ".join(clash))
        registry = registry.extended([tool for tool in tools if tool.spec.name not in clash])
    return registry


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

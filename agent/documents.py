"""The documents that are attached to a conversation, searched beside the collections, in an index of the conversation's own.

The index lies in the conversation's folder and is deleted with it. It is made when it is first searched, and made good
when a document has come since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.ports import ArtifactStore, Encoder, Retriever, SearchFilters, SearchOutcome
from core.store import SessionStore
from core.types import Artifact

if TYPE_CHECKING:
    from retrieval.corpus import Document

ATTACHED = "attached"
"""The corpus of their passages; a collection of this name would be hidden by it, so the library makes none."""
_PDF = "application/pdf"
_OPEN = 32
_ALL = 50


class AttachedDocuments:
    """A `core.ports.AttachedSearch`. Holds the last searches open; safe to use from several threads."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._searches: OrderedDict[tuple[str, tuple[str, ...]], Retriever] = OrderedDict()

    def beside(self, library: Retriever, store: ArtifactStore) -> Retriever:
        """The library's search with the attached documents searched too; the library's alone where there are none."""
        attached = self._search(store)
        return library if attached is None else _Beside(attached, library)

    def within(self, handle: str, store: ArtifactStore) -> Retriever:
        """A search in one attached document."""
        attached = self._search(store)
        return _Nothing() if attached is None else _Within(attached, handle)

    def _search(self, store: ArtifactStore) -> Retriever | None:
        documents = [artifact for artifact in store.list() if _searchable(artifact)]
        if not documents or not isinstance(store, SessionStore):
            return None
        key = (str(store.folder), tuple(artifact.handle for artifact in documents))
        with self._lock:
            if key not in self._searches:
                self._searches[key] = self._made(store, documents)
            self._searches.move_to_end(key)
            while len(self._searches) > _OPEN:
                self._searches.popitem(last=False)
            return self._searches[key]

    def _made(self, store: SessionStore, documents: list[Artifact]) -> Retriever:
        from retrieval.index import Index
        from retrieval.search import HybridSearch

        index = Index(store.folder / ATTACHED, self._encoder)
        index.add(_read(store, documents))
        return _Told(HybridSearch(index), f"{len(documents)} attached {'document' if len(documents) == 1 else 'documents'}")


def _searchable(artifact: Artifact) -> bool:
    return artifact.kind == "document" and artifact.media_type == _PDF


def _read(store: SessionStore, documents: list[Artifact]) -> Iterator[Document]:
    from retrieval.readers.pdf import read_pdf

    for artifact in documents:
        for document in read_pdf(store.path(artifact.handle), []):
            yield from _pages(artifact.handle, document)


def _pages(handle: str, document: Document) -> Iterator[Document]:
    """A document for each page that has words: a search gives one passage of a document, and a paper has more to say."""
    from retrieval.corpus import Document, Section

    for number, section in enumerate(document.sections, start=1):
        words = document.text[section.start : section.end]
        if words.strip():
            whole = Section(label=section.label, start=0, end=len(words))
            yield Document(id=f"{handle}#{number}", title=f"{handle}, {section.label}", text=words, sections=(whole,))


def handle_of(document: str) -> str:
    """The handle of the attached document that a passage's `document_id` names a page of."""
    return document.partition("#")[0]


@dataclass(frozen=True)
class _Told:
    """A search that says of itself where it looked: pages are documents to the index, and not to a person."""

    pages: Retriever
    searched: str

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """Search."""
        return replace(self.pages.search(query, k, filters), searched=self.searched)


@dataclass(frozen=True)
class _Beside:
    """Attached documents and the library as one. A person's choice of collections does not shut out what she attached."""

    attached: Retriever
    library: Retriever

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """Search both."""
        from retrieval.several import merged

        own = replace(filters, corpora=()) if filters else None
        return merged([self.attached.search(query, k, own), self.library.search(query, k, filters)], k)


@dataclass(frozen=True)
class _Within:
    """One attached document."""

    attached: Retriever
    handle: str

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """Search all that is attached, and keep what is of this document."""
        own = replace(filters, corpora=()) if filters else None
        found = self.attached.search(query, max(k, _ALL), own)
        kept = tuple(passage for passage in found.passages if handle_of(passage.document_id) == self.handle)
        return replace(found, passages=kept[:k], searched=f"the attached {self.handle}")


@dataclass(frozen=True)
class _Nothing:
    """No document is attached."""

    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        """Nothing."""
        return SearchOutcome(passages=(), searched="no attached document")

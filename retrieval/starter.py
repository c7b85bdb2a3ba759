"""The corpus that ships: cards on the systems Consilium builds on and on the definitions its tools use."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from core.errors import IndexDamaged
from core.ports import Encoder
from retrieval.corpus import Document
from retrieval.index import Index
from retrieval.readers import read_jsonl
from retrieval.search import HybridSearch

_FILES = ("systems.jsonl", "definitions.jsonl")


def starter_documents() -> list[Document]:
    """All cards."""
    documents: list[Document] = []
    for name in _FILES:
        with as_file(files(__package__) / "starter" / name) as path:
            documents += read_jsonl(path)
    return documents


def open_starter(home: Path, encoder: Encoder) -> HybridSearch:
    """The starter index under `home/indexes/starter`, brought up to date: unchanged cards cost nothing."""
    index = Index(home / "indexes" / "starter", encoder)
    documents = starter_documents()
    try:
        index.add(documents)
    except IndexDamaged:
        # Ours to make again: an older version's format, another encoder, or damage.
        index.create(force=True)
        index.add(documents)
    gone = _ids(index) - {document.id for document in documents}
    index.remove(sorted(gone))
    return HybridSearch(index)


def _ids(index: Index) -> set[str]:
    generation = index.current()
    try:
        return {document for (document,) in generation.store.execute("SELECT id FROM documents")}
    finally:
        generation.store.close()

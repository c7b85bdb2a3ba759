"""The collections that `consilium eval retrieval` measures on, with their splits.

The constants of `retrieval/scoring.py` were chosen on the parts called "development", the reranker learnt from them and
its weight was chosen on BioASQ's validation part. The parts called "test" were looked at afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import FileError
from evals import development
from evals.development import Question
from retrieval.corpus import Document


@dataclass(frozen=True)
class Part:
    """Some of a collection's questions."""

    split: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Collection:
    """Documents and questions about them."""

    name: str
    documents: tuple[Document, ...]
    parts: tuple[Part, ...]


def collections(data: Path, names: Sequence[str], distractors: int, questions: int) -> Iterator[Collection]:
    """The collections of the folder, in the order of `names`.

    Args:
        data: the folder.
        names: of `COLLECTIONS`.
        distractors: documents of the pool beside those that answer a question; negative for all.
        questions: of each part at most so many; 0 for all.

    Raises:
        FileError: a file is missing, or there is no collection of that name.
    """
    for name in names:
        if name not in COLLECTIONS:
            raise FileError(f"There is no collection {name!r}; known: {', '.join(COLLECTIONS)}.")
        try:
            documents, parts = COLLECTIONS[name](data)
            pool = development.pool(data) if name in _IN_POOL else []
        except OSError as error:
            raise FileError(f"Collection {name!r} cannot be read: {error}.") from error
        parts = [Part(part.split, part.questions[: questions or None]) for part in parts]
        yield Collection(name, tuple(_with_others(documents, pool, parts, distractors)), tuple(parts))


def _with_others(
    documents: Sequence[Document], pool: Sequence[Document], parts: Sequence[Part], distractors: int
) -> list[Document]:
    """The documents, those of the pool that answer a question, and some others, the same ones each time."""
    there = {document.id for document in documents}
    needed = {name for part in parts for question in part.questions for name in question.relevant}
    others = [document for document in pool if document.id not in there]
    kept = [document for document in others if document.id in needed]
    rest = sorted(
        (document for document in others if document.id not in needed),
        key=lambda document: hashlib.sha256(document.id.encode()).hexdigest(),
    )
    return [*documents, *kept, *rest[: distractors if distractors >= 0 else None]]


def _medlars(data: Path) -> tuple[list[Document], list[Part]]:
    documents, asked = development.medlars(data)
    return documents, [Part("development", tuple(asked))]


def _topics(data: Path) -> tuple[list[Document], list[Part]]:
    documents, asked, _ = development.pubmedqa(data)
    kept = {name for question in asked[development.PUBMEDQA_TRAINING :] for name in question.relevant}
    _, headings = development.topics(data)
    return [document for document in documents if document.id in kept], [Part("development", tuple(headings))]


def _pubmedqa(data: Path) -> tuple[list[Document], list[Part]]:
    documents, asked, _ = development.pubmedqa(data)
    cut = development.PUBMEDQA_TRAINING
    return documents, [Part("development", tuple(asked[:cut])), Part("test", tuple(asked[cut:]))]


def _bioasq(data: Path) -> tuple[list[Document], list[Part]]:
    asked = development.bioasq(data, {document.id for document in development.pool(data)})
    test = development.BIOASQ_TEST
    kept = test + development.BIOASQ_VALIDATION
    return [], [Part("test", tuple(asked[:test])), Part("validation", tuple(asked[test:kept]))]


def _full_text(data: Path) -> tuple[list[Document], list[Part]]:
    documents, asked = development.full_text(data)
    numbers = sorted({number for number, _ in asked})
    parts: dict[bool, list[Question]] = {False: [], True: []}
    for number, question in asked:
        parts[development.is_test_article(number, numbers)].append(question)
    return documents, [Part("development", tuple(parts[False])), Part("test", tuple(parts[True]))]


def _claims(data: Path) -> tuple[list[Document], list[Part]]:
    documents, asked = development.claims(data)
    return documents, [Part("test", tuple(asked))]


COLLECTIONS: dict[str, Callable[[Path], tuple[list[Document], list[Part]]]] = {
    "medlars": _medlars,
    "pubmedqa": _pubmedqa,
    "pubmedqa-pool": _pubmedqa,
    "bioasq": _bioasq,
    "full-text": _full_text,
    "claims": _claims,
    "topics": _topics,
}
_IN_POOL = frozenset({"pubmedqa-pool", "bioasq", "claims"})

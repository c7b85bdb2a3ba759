"""Which of the ranked passages are handed on: not the same study twice, and not more than the scores say.

Adaptive number of contexts after MMed-RAG (Xia et al., ICLR 2025; its repository keeps a passage while the best score
divided by its own stays under a limit). A quotient means nothing for scores that may be zero or negative, so here it is
the quotient of their exponentials, which is a difference of scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.corpus import Document

DROP = 0.30
"""Passages that score this much less than the best one are not handed on."""
_SAME_TEXT = 0.985
"""Cosine at and above which two passages say the same words; a different trial of the same drug stays below .97."""
_SHORTEST_TITLE = 25
_TRIAL = re.compile(r"\b(NCT\d{8}|ISRCTN\d{8}|ACTRN\d{14}|EUCTR\d{4}-\d{6}-\d{2}|ChiCTR[\w-]{6,18})\b", re.IGNORECASE)


def adaptive_count(scores: Sequence[float], most: int, drop: float = DROP) -> int:
    """How many of the scores, best first, are worth handing on: at most `most`, and at least one if there is any.

    Counting stops at the first score more than `drop` below the best, whatever their signs; a score that is not a
    number ends it too.
    """
    count = 0
    for score in scores[:most]:
        if count and not scores[0] - score <= drop:
            break
        count += 1
    return count


def trials(document: Document) -> frozenset[str]:
    """Registry numbers of the trial that a document reports, upper-cased: those listed for it, else the only one in it."""
    listed = {number.upper() for number in document.trials if _TRIAL.fullmatch(number)}
    if listed:
        return frozenset(listed)
    written = {number.upper() for number in _TRIAL.findall(f"{document.title} {document.text}")}
    # A text that names several registry numbers is about other people's trials.
    return frozenset(written) if len(written) == 1 else frozenset()


def same_study(one: Document, other: Document, cosine: float) -> bool:
    """Whether two documents are versions or reports of one study: trial, title, identifier or wording."""
    if one.doi and other.doi and one.doi.lower() == other.doi.lower():
        return True
    titles = [_plain(document.title) for document in (one, other)]
    if titles[0] == titles[1] and len(titles[0]) >= _SHORTEST_TITLE:
        return True
    return bool(trials(one) & trials(other)) or cosine >= _SAME_TEXT


def first_of_each_study(documents: Sequence[Document], vectors: NDArray[np.float32]) -> list[int]:
    """Places of the documents to keep, best first: of each study one, the article rather than its preprint.

    Args:
        documents: best first.
        vectors: of the passages they were found by, unit rows, shape (documents, dimension).
    """
    kept: list[int] = []
    cosines = vectors @ vectors.T
    for place, document in enumerate(documents):
        twin = next((k for k in kept if same_study(documents[k], document, float(cosines[k, place]))), None)
        if twin is None:
            kept.append(place)
        elif "preprint" in documents[twin].flags and "preprint" not in document.flags:
            kept[kept.index(twin)] = place
    return kept


def _plain(title: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", title.lower()))

"""Putting a reranker's scores and the search's own together.

A reranker's scores are log-odds, and what it is sure of counts more than what it hardly tells apart. One whose scores
spread wide is held to the same say. The search keeps its own: a small reranker alone would lose on questions unlike those
it learnt from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.ports import Reranker
from retrieval.build import passage_text
from retrieval.chunking import Span
from retrieval.corpus import Document
from retrieval.generation import Generation
from retrieval.scoring import Ranking

RERANKED = 50
"""Passages that a reranker looks at."""
_WEIGHT = 0.075
"""What a reranker's opinion adds where the passages' log-odds spread by `_SPREAD`; the search's scores spread by some .1.
Chosen on BioASQ's validation part and Medlars."""
_SPREAD = 3.0
"""Spread of the log-odds from which on they are taken relative to it."""


def reranked(generation: Generation, ranking: Ranking, question: str, reranker: Reranker) -> Ranking:
    """The ranking with its first passages in a new order; the rest follow as they were, scores falling throughout."""
    head = ranking.first(RERANKED)
    if len(head.documents) < 2:
        return ranking
    scores = reranker.score(question, passages(generation, head))
    fused = head.scores + _opinion(scores)
    order = np.argsort(-fused, kind="stable")
    # The rest keeps its distances, moved to below the last of the head.
    below = min(0.0, float(fused.min() - head.scores.min()))
    rest = slice(len(head.documents), None)
    return Ranking(
        np.concatenate([head.documents[order], ranking.documents[rest]]),
        np.concatenate([fused[order], ranking.scores[rest] + below]).astype(np.float32),
        np.concatenate([head.passages[order], ranking.passages[rest]]),
        np.concatenate([head.cosines[order], ranking.cosines[rest]]),
    )


def passages(generation: Generation, ranking: Ranking) -> list[str]:
    """The ranking's passages under their documents' titles."""
    texts = []
    for position, passage in zip(ranking.documents, ranking.passages, strict=True):
        row = int(generation.documents[position, 0])
        body = generation.store.execute("SELECT body FROM documents WHERE row = ?", (row,)).fetchone()[0]
        _, start, end = generation.passages[passage]
        texts.append(passage_text(Document.model_validate_json(body), Span(int(start), int(end))))
    return texts


def _opinion(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the log-odds add: around zero, so that the scores keep their level."""
    shares: NDArray[np.float32] = (scores - scores.mean()) * np.float32(_WEIGHT / max(float(scores.std()), _SPREAD))
    return shares

"""The network of our reranker: a question and a passage read together by MiniLM's layers.

Starts from the packaged sentence encoder. Besides the usual linear head on the first token, the score holds two terms
that the encoder already knows before any training: the cosine of the two texts' mean token vectors, and for each token
of the question the cosine of the nearest token of the passage, averaged (late interaction, Khattab and Zaharia 2020,
here over vectors that have seen both texts). The word embeddings stay those of the encoder, so only the layers and the
head are trained and shipped.

Imports torch when it is imported, so import it only where a model is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_COSINE_SCALE = 10.0


@dataclass(frozen=True)
class Batch:
    """Token ids, segments (0 question, 1 passage) and mask, each of shape (pairs, tokens)."""

    tokens: Tensor
    segments: Tensor
    mask: Tensor


class PairModel(nn.Module):
    """Scores of question-passage pairs; higher is more relevant, no fixed range."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.hidden_size
        self.first = nn.Linear(width, 1)
        self.terms = nn.Parameter(torch.tensor([_COSINE_SCALE, _COSINE_SCALE]))
        nn.init.zeros_(self.first.weight)
        nn.init.zeros_(self.first.bias)

    def forward(self, batch: Batch) -> Tensor:
        """Scores of shape (pairs,), float32."""
        padded = bool((batch.mask == 0).any())
        hidden = self.encoder(
            input_ids=batch.tokens, token_type_ids=batch.segments, attention_mask=batch.mask if padded else None
        ).last_hidden_state.float()
        question = ((batch.segments == 0) & (batch.mask == 1)).float()
        passage = ((batch.segments == 1) & (batch.mask == 1)).float()
        means = [nn.functional.normalize((hidden * part.unsqueeze(-1)).sum(1), dim=1) for part in (question, passage)]
        cosine = (means[0] * means[1]).sum(1)
        score: Tensor = self.first(hidden[:, 0].to(self.first.weight.dtype)).squeeze(1).float()
        late = _late_interaction(hidden, question, passage)
        return score + self.terms[0].float() * cosine + self.terms[1].float() * late


def _late_interaction(hidden: Tensor, question: Tensor, passage: Tensor) -> Tensor:
    """Mean over the question's tokens of the cosine of the nearest token of the passage; shape (pairs,)."""
    asked = int(question.sum(1).max())
    unit = nn.functional.normalize(hidden, dim=2)
    # The question comes first, so its tokens stand in the first columns.
    near = unit[:, :asked] @ unit.transpose(1, 2)
    near = near.masked_fill(passage.unsqueeze(1) == 0, -1.0).amax(2)
    weights = question[:, :asked]
    mean: Tensor = (near * weights).sum(1) / weights.sum(1)
    return mean


def padded(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], multiple: int = 1) -> Batch:
    """Pairs of token ids, each side with its special tokens, as one batch; its length is a multiple of that number."""
    length = max(len(first) + len(second) for first, second in pairs)
    length += -length % multiple
    tokens = torch.zeros((len(pairs), length), dtype=torch.long)
    segments = torch.zeros((len(pairs), length), dtype=torch.long)
    mask = torch.zeros((len(pairs), length), dtype=torch.long)
    for row, (first, second) in enumerate(pairs):
        total = len(first) + len(second)
        tokens[row, :total] = torch.tensor([*first, *second])
        segments[row, len(first) : total] = 1
        mask[row, :total] = 1
    return Batch(tokens, segments, mask)

"""Objectives of the encoder for film, text and pair: contrast, words from their film, and whether film and text belong."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retrieval.images.losses import contrast_labels, contrast_reports, contrast_views
from retrieval.images.network import FilmEncoder, MaskedDecoder, Projection
from retrieval.images.unified_network import WIDTH, UnifiedEncoder
from retrieval.images.words import HIDDEN, PADDING

_HIDDEN_WORDS = 0.15


class UnifiedTrainee(nn.Module):
    """The encoder and the parts that only training needs."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.unified = UnifiedEncoder(words)
        self.decoder = MaskedDecoder()
        self.views = Projection(WIDTH)
        self.labels = Projection(WIDTH)

    @property
    def encoder(self) -> FilmEncoder:
        """The film's trunk, which masked pretraining trains."""
        return self.unified.film


def films_loss(trainee: UnifiedTrainee, vectors: Tensor, labels: Tensor, views: float, known: float) -> Tensor:
    """Contrast of two views of each film (first half, second half of `vectors`) and of labels, with their weights."""
    half = len(vectors) // 2
    seen = trainee.views(vectors)
    loss = views * contrast_views(seen[:half], seen[half:])
    if known and bool((labels >= 0).any()):
        loss = loss + known * contrast_labels(trainee.labels(vectors), torch.cat([labels, labels]))
    return loss


def reports_loss(
    network: UnifiedEncoder, films: Tensor, alone: Tensor, other: Tensor, numbers: Tensor, generator: torch.Generator
) -> Tensor:
    """All that films and their reports teach.

    Film and text find each other; the pair finds both; hidden words are told from film and rest; a film with another's
    report, drawn the more often the more it fits (Li et al., NeurIPS 2021), is told from one with its own.

    Args:
        network: in training.
        films: tokens (n, 16, width).
        alone: unit vectors (n, width) of these films alone.
        other: unit vectors of other views of the same films.
        numbers: words (n, m) of their reports, all different.
        generator: of the hidden words and the wrong reports.
    """
    texts = network(None, numbers)
    hidden = _hide(numbers, generator)
    states = network.mixed(films, torch.where(hidden, HIDDEN, numbers))
    pairs = network.vectors(states)
    loss = contrast_reports(alone, texts)
    loss = loss + 0.5 * (contrast_reports(pairs, other, weight=0.5) + contrast_reports(pairs, texts, weight=0.5))
    if bool(hidden.any()):
        told = states[:, 1 + films.shape[1] :][hidden].float() @ network.words.weight.T
        loss = loss + 0.2 * nn.functional.cross_entropy(told, numbers[hidden])
    wrong = _wrong(alone.detach() @ texts.detach().T, generator)
    both = torch.cat([states[:, 0], network.mixed(films, numbers[wrong])[:, 0]])
    belongs = torch.cat([torch.ones(len(films)), torch.zeros(len(films))]).to(both.device)
    return loss + 0.5 * nn.functional.binary_cross_entropy_with_logits(network.matching(both).float()[:, 0], belongs)


def _hide(numbers: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(numbers.shape, generator=generator).to(numbers.device) < _HIDDEN_WORDS
    return drawn & (numbers != PADDING)


def _wrong(nearness: Tensor, generator: torch.Generator) -> Tensor:
    """For each film the row of a report that is not its own."""
    shares = torch.softmax(nearness.float() / 0.1, dim=1) + 1e-4
    shares = shares * (1 - torch.eye(len(shares), device=shares.device))
    return torch.multinomial(shares.cpu(), 1, generator=generator)[:, 0].to(nearness.device)

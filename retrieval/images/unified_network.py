"""One encoder for a film, a text, or both, after PTUnifier (Chen et al., ICCV 2023).

A film becomes 16 tokens, a report a token a word, and the same transformer reads whatever is there. Where one side is
missing, soft prompts take its place, those of a pool that are most like the present side: the input always has one form.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retrieval.images.network import WIDTHS, FilmEncoder
from retrieval.images.words import LONGEST, PADDING

WIDTH = 192
_CELLS = 16
_POOL, _CHOSEN = 32, 8
_LAYERS, _HEADS = 2, 4


class PromptPool(nn.Module):
    """A bank of vectors that stand for typical inputs of one side; those most like the other side are chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts = nn.Parameter(torch.randn(_POOL, WIDTH) * 0.02)
        self.keys = nn.Parameter(torch.randn(_POOL, WIDTH))

    def forward(self, present: Tensor, there: Tensor) -> Tensor:
        """Prompts (n, 8, width) for the tokens (n, m, width) of the other side, `there` (n, m) saying which are real."""
        shares = there[:, :, None].to(present.dtype)
        query = (present * shares).sum(1) / shares.sum(1).clamp(min=1)
        nearness = nn.functional.normalize(query, dim=1) @ nn.functional.normalize(self.keys, dim=1).T
        best, rows = nearness.topk(_CHOSEN, dim=1)
        # The weights let the keys learn, as the choice alone has no gradient.
        chosen: Tensor = self.prompts[rows] * (_CHOSEN * torch.softmax(best / 0.1, dim=1))[:, :, None]
        return chosen


class UnifiedEncoder(nn.Module):
    """Films (n, 32, 32), word numbers (n, m), or both, to unit vectors (n, 192) of one space."""

    dimension = WIDTH

    def __init__(self, words: int) -> None:
        super().__init__()
        self.film = FilmEncoder()
        self.from_film = nn.Linear(WIDTHS[3], WIDTH)
        self.cells = nn.Parameter(torch.randn(_CELLS, WIDTH) * 0.02)
        self.words = nn.Embedding(words, WIDTH, padding_idx=PADDING)
        nn.init.normal_(self.words.weight, std=0.1)
        self.places = nn.Parameter(torch.randn(LONGEST, WIDTH) * 0.02)
        self.first = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.for_film, self.for_text = PromptPool(), PromptPool()
        layer = nn.TransformerEncoderLayer(WIDTH, _HEADS, 2 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
        self.mixer = nn.TransformerEncoder(layer, _LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.matching = nn.Linear(WIDTH, 1)

    def film_tokens(self, pictures: Tensor) -> Tensor:
        """Tokens (n, 16, width) of films (n, 32, 32)."""
        content = self.film.maps(pictures)[1].flatten(2).transpose(1, 2)
        tokens: Tensor = self.from_film(content) + self.cells
        return tokens

    def word_tokens(self, numbers: Tensor) -> Tensor:
        """Tokens (n, m, width) of word numbers (n, m)."""
        tokens: Tensor = self.words(numbers) + self.places[: numbers.shape[1]]
        return tokens

    def mixed(self, film: Tensor | None, numbers: Tensor | None) -> Tensor:
        """States (n, 1 + film side + text side, width) after the shared transformer; the first stands for the whole.

        Args:
            film: tokens of `film_tokens`, or None.
            numbers: word numbers, or None. One of the two must be there.
        """
        if numbers is not None:
            text, there = self.word_tokens(numbers), numbers != PADDING
            film = self.for_film(text, there) if film is None else film
        elif film is not None:
            text = self.for_text(film, torch.ones(film.shape[:2], dtype=torch.bool, device=film.device))
            there = torch.ones(text.shape[:2], dtype=torch.bool, device=film.device)
        else:
            raise ValueError("There must be films, texts, or both.")
        whole = torch.cat([self.first.expand(len(film), 1, WIDTH).to(film.dtype), film, text.to(film.dtype)], dim=1)
        real = torch.ones(len(film), 1 + film.shape[1], dtype=torch.bool, device=film.device)
        states: Tensor = self.mixer(whole, src_key_padding_mask=~torch.cat([real, there], dim=1))
        return states

    def vectors(self, states: Tensor) -> Tensor:
        """Unit vectors of `mixed`'s states."""
        return nn.functional.normalize(self.out(states[:, 0]).float(), dim=1)

    def forward(self, pictures: Tensor | None, numbers: Tensor | None = None) -> Tensor:
        """Unit vectors of films, texts or pairs."""
        return self.vectors(self.mixed(None if pictures is None else self.film_tokens(pictures), numbers))

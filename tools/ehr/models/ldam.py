"""LDAM: the name of the outcome attends over the words of the record (label-dependent attention).

The label's embedding, made of its own words, scores each token of each event; the weighted sum is what the outcome is
told from. The weights say which words carried the estimate: here as an explanation by event, tested like every other one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.ehr.models.genhpf import WORDS, Texts, tokenise
from tools.ehr.models.sequences import descend

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]


@dataclass
class Ldam:
    """The model of several binary labels, each with a name in words."""

    labels: tuple[str, ...]
    width: int = 48
    seed: int = 0
    net: torch.nn.Module | None = field(default=None, repr=False)

    def fit(self, texts: Texts, y: Array, epochs: int = 4, size: int = 64) -> list[float]:
        """Train; `y` has shape (n, labels), NaN where unknown. The loss per epoch."""
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            names = [tokenise([(name, 3)])[0] for name in self.labels]
            self.net = net = _network(names, self.width)
            goal = torch.from_numpy(y.astype(np.float32))

            def loss(batch: NDArray[np.int64]) -> torch.Tensor:
                out, _ = net(*_tokens(texts, batch))
                known = ~torch.isnan(goal[batch])
                return torch.nn.functional.binary_cross_entropy_with_logits(out[known], goal[batch][known])

            return descend(net, loss, len(y), size, epochs, seed=self.seed)

    def predict(self, texts: Texts) -> Array:
        """Log-odds, shape (n, labels)."""
        return self._run(texts)[0]

    def attention(self, texts: Texts, label: str) -> Array:
        """How much each event counts for a label, shape (n, L); each row adds up to 1."""
        return np.asarray(self._run(texts)[1][:, self.labels.index(label)])

    def _run(self, texts: Texts) -> tuple[Array, Array]:
        import torch

        if self.net is None:
            raise RuntimeError("Ldam needs fit first.")
        outs, weights = [], []
        with torch.no_grad():
            for start in range(0, len(texts.index), 64):
                batch = np.arange(start, min(start + 64, len(texts.index)))
                out, weight = self.net(*_tokens(texts, batch))
                outs.append(out.numpy())
                weights.append(weight.numpy())
        return np.concatenate(outs).astype(np.float64), np.concatenate(weights).astype(np.float64)


def _tokens(texts: Texts, batch: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
    import torch

    index = texts.index[batch]
    return tuple(torch.from_numpy(part[index]) for part in (texts.tokens, texts.kinds, texts.places))


def _network(names: list[list[int]], width: int) -> torch.nn.Module:
    import torch
    from torch import nn

    longest = max(len(name) for name in names)
    label_ids = torch.tensor([name + [0] * (longest - len(name)) for name in names])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(WORDS, width, padding_idx=0)
            self.kind, self.place = nn.Embedding(4, width), nn.Embedding(12, width)
            # A window over tokens, so that a digit is read with the name that it belongs to.
            self.near = nn.Conv1d(width, width, 9, padding=4)
            self.query, self.out = nn.Linear(width, width), nn.Linear(width, 1)

        def forward(self, ids: torch.Tensor, kinds: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            n, events, tokens = ids.shape
            x = self.word(ids) + self.kind(kinds) + self.place(places)
            x = x.reshape(n * events, tokens, -1).transpose(1, 2)
            x = torch.relu(self.near(x)).transpose(1, 2).reshape(n, events * tokens, -1)
            mask = (ids > 0).reshape(n, events * tokens)
            label = self.word(label_ids).sum(1) / (label_ids > 0).sum(1, keepdim=True)
            score = torch.einsum("ld,ntd->nlt", self.query(label), x) / x.shape[-1] ** 0.5
            weight = score.masked_fill(~mask[:, None], -1e9).softmax(-1)
            seen = torch.einsum("nlt,ntd->nld", weight, x)
            by_event = weight.reshape(n, len(label), events, tokens).sum(-1)
            return self.out(seen + self.query(label)).squeeze(-1), by_event

    return Net()

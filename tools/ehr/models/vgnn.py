"""A graph of the observed codes with a variational node regulariser (VGNN: Zhu and Razavian, arXiv:1912.03761).

Each record is a graph of its codes, all linked to all; attention passes messages, the node vectors are drawn from a normal
distribution held near the standard one while training, and an extra node reads the graph. The published code picks nodes
with a 0/1 vector used as integers, which takes rows 0 and 1 only; here it is a boolean mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.ehr.models.sequences import Scale, Sequences, descend, fit_scale

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]


@dataclass
class Vgnn:
    """The model of one binary outcome; `weight` is that of the divergence from the standard normal."""

    width: int = 48
    weight: float = 1e-3
    seed: int = 0
    net: torch.nn.Module | None = field(default=None, repr=False)
    scale: Scale | None = field(default=None, repr=False)

    def fit(self, records: Sequences, y: Array, epochs: int = 5) -> list[float]:
        """Train; the loss per epoch."""
        import torch

        self.scale = fit_scale(records)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.net = _network(len(records.vocabulary), self.width)
            observed, values = self._graph(records)
            goal, net = torch.from_numpy(y.astype(np.float32)), self.net

            def loss(batch: NDArray[np.int64]) -> torch.Tensor:
                out, divergence = net(observed[batch], values[batch])
                out_loss = torch.nn.functional.binary_cross_entropy_with_logits(out, goal[batch])
                return torch.as_tensor(out_loss + self.weight * divergence)

            return descend(net, loss, len(records), epochs=epochs, seed=self.seed)

    def logit(self, records: Sequences) -> Array:
        """Shape (n,)."""
        import torch

        if self.net is None:
            raise RuntimeError("Vgnn needs fit first.")
        observed, values = self._graph(records)
        with torch.no_grad():
            parts = [self.net(observed[i : i + 256], values[i : i + 256])[0] for i in range(0, len(records), 256)]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    def _graph(self, records: Sequences) -> tuple[torch.Tensor, torch.Tensor]:
        """Which codes a record has, (n, codes) boolean, and their last, mean and extreme values, (n, codes, 4)."""
        import torch

        if self.scale is None:
            raise RuntimeError("Vgnn needs fit first.")
        return tuple(torch.from_numpy(part) for part in graph_of(records, self.scale))  # type: ignore[return-value]


def graph_of(records: Sequences, scale: Scale) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Observed codes as a boolean mask, and last, mean, least, greatest standardised value; (n, codes) and (n, codes, 4)."""
    n, size = len(records), len(records.vocabulary)
    z = scale.apply(records)
    observed = np.zeros((n, size), bool)
    values = np.zeros((n, size, 4), np.float32)
    for code in range(1, size + 1):
        mine = records.code == code
        there = mine.any(axis=1)
        observed[:, code - 1] = there
        count = np.maximum(mine.sum(axis=1), 1)
        last = mine.shape[1] - 1 - np.argmax(mine[:, ::-1], axis=1)
        values[:, code - 1, 0] = np.where(there, z[np.arange(n), last], 0)
        values[:, code - 1, 1] = (z * mine).sum(axis=1) / count
        values[:, code - 1, 2] = np.where(there, np.where(mine, z, np.inf).min(axis=1), 0)
        values[:, code - 1, 3] = np.where(there, np.where(mine, z, -np.inf).max(axis=1), 0)
    return observed, values


def _network(codes: int, width: int) -> torch.nn.Module:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.node = nn.Parameter(torch.randn(codes + 1, width) / width**0.5)  # the last one reads the graph
            self.value = nn.Linear(4, width)
            self.first = nn.MultiheadAttention(width, 4, batch_first=True)
            self.second = nn.MultiheadAttention(width, 4, batch_first=True)
            self.mean, self.spread = nn.Linear(width, width), nn.Linear(width, width)
            self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(0.2)
            self.out = nn.Linear(width, 1)

        def forward(self, observed: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            reader = torch.ones(len(observed), 1, dtype=torch.bool)
            present = torch.cat([observed, reader], 1)
            x = self.node + torch.cat([self.value(values), values.new_zeros(len(observed), 1, self.node.shape[1])], 1)
            x = x + self.first(x, x, x, key_padding_mask=~present, need_weights=False)[0]
            mean, spread = self.mean(x), self.spread(x).clamp(-8, 8)
            drawn = mean + torch.randn_like(mean) * (spread / 2).exp() if self.training else mean
            divergence = 0.5 * (mean**2 + spread.exp() - spread - 1).sum(-1)
            divergence = divergence[:, :-1][observed].mean()
            y = torch.relu(drawn)
            y = y + self.second(y, y, y, key_padding_mask=~present, need_weights=False)[0]
            return self.out(self.drop(self.norm(y[:, -1]))).squeeze(-1), divergence

    return Net()

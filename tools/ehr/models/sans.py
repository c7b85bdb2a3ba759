"""SANSformer: attention-free, with spatial gating, pretrained on summaries of the future (Kumar et al., arXiv:2108.13672).

Each block mixes an event with earlier ones only: the gate's matrix over positions is lower triangular, and all
normalisation is over channels. The published code normalises over time, which leaks the future; here the output at a
position does not move when later events do. Generative summary pretraining: from a prefix, predict what the following
window holds of each variable.
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
class Sans:
    """The model of one binary outcome."""

    width: int = 48
    blocks: int = 2
    seed: int = 0
    net: torch.nn.Module | None = field(default=None, repr=False)
    scale: Scale | None = field(default=None, repr=False)

    def pretrain(self, records: Sequences, ahead: float = 12.0, epochs: int = 2) -> list[float]:
        """Learn to tell, from each position, the mean of every variable in the next `ahead` hours; the loss per epoch."""
        import torch

        self._begin(records)
        inputs = self._inputs(records)
        target, known = future_summary(records, self._scaled(records), ahead)
        goal, mask = torch.from_numpy(target), torch.from_numpy(known)

        def loss(batch: NDArray[np.int64]) -> torch.Tensor:
            _, summary = self._net()(*(part[batch] for part in inputs))
            error = (summary - goal[batch]) ** 2 * mask[batch]
            return torch.as_tensor(error.sum() / mask[batch].sum().clamp(min=1))

        return descend(self._net(), loss, len(records), epochs=epochs, seed=self.seed)

    def fit(self, records: Sequences, y: Array, epochs: int = 5, rate: float = 2e-3) -> list[float]:
        """Train the outcome from the last position, after `pretrain` or from nothing; the loss per epoch."""
        import torch

        if self.net is None:
            self._begin(records)
        inputs, goal = self._inputs(records), torch.from_numpy(y.astype(np.float32))

        def loss(batch: NDArray[np.int64]) -> torch.Tensor:
            outcome, _ = self._net()(*(part[batch] for part in inputs))
            return torch.nn.functional.binary_cross_entropy_with_logits(outcome[:, -1], goal[batch])

        return descend(self._net(), loss, len(records), epochs=epochs, rate=rate, seed=self.seed + 1)

    def logits(self, records: Sequences) -> Array:
        """Log-odds at every position, shape (n, L): at a position only that event and earlier ones are known."""
        import torch

        with torch.no_grad():
            inputs = self._inputs(records)
            parts = [self._net()(*(part[i : i + 256] for part in inputs))[0] for i in range(0, len(records), 256)]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    def _begin(self, records: Sequences) -> None:
        import torch

        self.scale = fit_scale(records)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.net = _network(len(records.vocabulary) + 1, records.code.shape[1], self.width, self.blocks)

    def _net(self) -> torch.nn.Module:
        if self.net is None:
            raise RuntimeError("Sans needs fit or pretrain first.")
        return self.net

    def _scaled(self, records: Sequences) -> NDArray[np.float32]:
        if self.scale is None:
            raise RuntimeError("Sans needs fit or pretrain first.")
        return self.scale.apply(records)

    def _inputs(self, records: Sequences) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        import torch

        return torch.from_numpy(records.code), torch.from_numpy(self._scaled(records)), torch.from_numpy(records.hours)


def future_summary(
    records: Sequences, values: NDArray[np.float32], ahead: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean standardised value of each code in (t, t + ahead], and whether there is one; both (n, L, codes + 1)."""
    n, length = records.code.shape
    size = len(records.vocabulary) + 1
    rows, columns = np.nonzero((records.code > 0) & ~np.isnan(records.value))
    code, value = records.code[rows, columns], values[rows, columns]
    total = np.zeros((n, length + 1, size), np.float32)
    count = np.zeros_like(total)
    np.add.at(total, (rows, columns + 1, code), value)
    np.add.at(count, (rows, columns + 1, code), 1)
    total, count = total.cumsum(axis=1), count.cumsum(axis=1)
    elapsed = -records.hours  # rises with the position; padding is older than everything
    elapsed = np.where(records.code > 0, elapsed, -np.inf)
    ends = np.stack([np.searchsorted(elapsed[i], elapsed[i] + ahead, side="right") for i in range(n)])
    row = np.arange(n)[:, None]
    here = np.arange(1, length + 1)[None, :]
    many = count[row, np.maximum(ends, here)] - count[row, here]
    mean = (total[row, np.maximum(ends, here)] - total[row, here]) / np.maximum(many, 1)
    there = (many > 0) & (records.code > 0)[:, :, None]
    return np.where(there, mean, 0).astype(np.float32), there.astype(np.float32)


def _network(codes: int, length: int, width: int, blocks: int) -> torch.nn.Module:
    import torch
    from torch import nn

    class Block(nn.Module):
        """gMLP (Liu et al., NeurIPS 2021) with a causal gate."""

        def __init__(self) -> None:
            super().__init__()
            self.norm, self.gate_norm = nn.LayerNorm(width), nn.LayerNorm(width)
            self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(width, width)
            self.mix = nn.Parameter(0.01 * torch.randn(length, length))
            self.bias = nn.Parameter(torch.ones(length, 1))

        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            kept, gate = nn.functional.gelu(self.up(self.norm(x))).chunk(2, dim=-1)
            gate = self.gate_norm(gate) * mask
            gate = torch.tril(self.mix) @ gate + self.bias
            return torch.as_tensor(x + self.down(kept * gate))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.code = nn.Embedding(codes, width, padding_idx=0)
            self.size = nn.Embedding(codes, width, padding_idx=0)
            self.time = nn.Linear(2, width)
            self.blocks = nn.ModuleList([Block() for _ in range(blocks)])
            self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(0.2)
            self.outcome, self.summary = nn.Linear(2 * width, 1), nn.Linear(width, codes)

        def forward(self, code: torch.Tensor, value: torch.Tensor, hours: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mask = (code > 0).unsqueeze(-1).float()
            x = self.code(code) + self.size(code) * value.unsqueeze(-1)
            x = (x + self.time(torch.stack([hours / 48, torch.log1p(hours) / 4], -1))) * mask
            for block in self.blocks:
                x = block(x, mask)
            x = self.norm(x) * mask
            so_far = x.cumsum(1) / mask.cumsum(1).clamp(min=1)
            return self.outcome(self.drop(torch.cat([x, so_far], -1))).squeeze(-1), self.summary(x)

    return Net()

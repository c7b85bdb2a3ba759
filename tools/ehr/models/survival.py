"""Survival: the Cox partial likelihood as it should be, and fusion of two groups of features.

The loss sorts by time descending, so that a log-cumulative-sum-exp is the risk set (Breslow's handling of ties: every event
at a time sees the whole risk set of that time; weights per sample). The published BioFusionNet code sorts by risk and
ignores times. Fusion: each group has an encoder of its own, and a gate learns how much each counts for a patient.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.ehr.models.sequences import descend

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]


def cox_loss(
    risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean negative log partial likelihood per event; inputs have shape (n,), `event` is 1 for a death, 0 for censored."""
    import torch

    order = torch.argsort(time, descending=True, stable=True)
    risk, time, event = risk[order], time[order], event[order]
    weight = torch.ones_like(risk) if weight is None else weight[order]
    at_risk = torch.logcumsumexp(risk + weight.log(), 0)
    # Ties: the last row of a run of equal times holds the sum over all of them.
    last = torch.searchsorted(-time, -time, right=True) - 1
    terms = weight * event * (risk - at_risk[last])
    return -terms.sum() / (weight * event).sum().clamp(min=1e-9)


def concordance(time: Array, event: Array, risk: Array) -> float:
    """Harrell's C: of pairs in which one is known to die first, how often that one has the higher risk; ties are half."""
    right = total = 0.0
    for index in np.flatnonzero(event > 0):
        later = (time > time[index]) | ((time == time[index]) & (event == 0))
        total += float(later.sum())
        right += float((risk[index] > risk[later]).sum() + 0.5 * (risk[index] == risk[later]).sum())
    return right / total if total else float("nan")


@dataclass
class CoxFusion:
    """A Cox model of two groups of standardised features, (n, a) and (n, b)."""

    width: int = 32
    seed: int = 0
    net: torch.nn.Module | None = field(default=None, repr=False)
    baseline: tuple[Array, Array] = field(default=(np.zeros(0), np.zeros(0)), repr=False)

    def fit(
        self, first: NDArray[np.float32], second: NDArray[np.float32], time: Array, event: Array, epochs: int = 20
    ) -> list[float]:
        """Train, then estimate Breslow's baseline hazard; the loss per epoch. `time` > 0."""
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.net = net = _network(first.shape[1], second.shape[1], self.width)
            parts = [torch.from_numpy(part) for part in (first, second)]
            times = torch.from_numpy(time.astype(np.float32))
            events = torch.from_numpy(event.astype(np.float32))

            def loss(batch: NDArray[np.int64]) -> torch.Tensor:
                return cox_loss(net(parts[0][batch], parts[1][batch]), times[batch], events[batch])

            losses = descend(net, loss, len(time), size=256, epochs=epochs, seed=self.seed)
        self.baseline = breslow(self.risk(first, second), time, event)
        return losses

    def risk(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> Array:
        """Log relative hazard, shape (n,)."""
        import torch

        if self.net is None:
            raise RuntimeError("CoxFusion needs fit first.")
        with torch.no_grad():
            out = self.net(torch.from_numpy(first), torch.from_numpy(second))
        return np.asarray(out.numpy(), dtype=np.float64)

    def survival(self, first: NDArray[np.float32], second: NDArray[np.float32], at: float) -> Array:
        """Probability to live beyond `at`, shape (n,)."""
        times, hazard = self.baseline
        place = int(np.searchsorted(times, at, side="right")) - 1
        base = float(hazard[place]) if place >= 0 else 0.0
        return np.asarray(np.exp(-base * np.exp(self.risk(first, second))))


def breslow(risk: Array, time: Array, event: Array) -> tuple[Array, Array]:
    """Times of events, ascending, and the cumulative baseline hazard there."""
    times = np.unique(time[event > 0])
    size = np.exp(risk)
    steps = [event[time == t].sum() / size[time >= t].sum() for t in times]
    return times, np.cumsum(steps)


def _network(first: int, second: int, width: int) -> torch.nn.Module:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Sequential(nn.Linear(first, width), nn.ReLU(), nn.Dropout(0.3))
            self.two = nn.Sequential(nn.Linear(second, width), nn.ReLU(), nn.Dropout(0.3))
            self.gate = nn.Sequential(nn.Linear(2 * width, width), nn.Sigmoid())
            self.out = nn.Linear(width, 1, bias=False)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            a, b = self.one(a), self.two(b)
            share = self.gate(torch.cat([a, b], -1))
            return torch.as_tensor(self.out(share * a + (1 - share) * b).squeeze(-1))

    return Net()

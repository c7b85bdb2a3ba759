"""A small feed-forward network on the same features: trained with PyTorch, read back and run with NumPy alone.

Each feature is mapped to a normal score through quantiles of the training set; what is missing is 0 and flagged. Two hidden
layers with dropout, AdamW with a one-cycle rate, a few seeds averaged in log-odds. Kept as safetensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from core.errors import FileError

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]
_LEVELS = np.linspace(0, 1, 33)
_EDGE = 0.01
_STEPS = 24
"""Of the path of the integrated gradients."""


@dataclass(frozen=True)
class Network:
    """`knots` and `scores` have shape (features, 33), `flags` lists features whose absence is an input of its own.

    `layers` holds per seed three pairs of weight (out, in) and bias (out,).
    """

    knots: Matrix
    scores: Matrix
    flags: NDArray[np.int32]
    layers: tuple[tuple[Matrix, ...], ...]

    def logit(self, x: Matrix) -> Array:
        """Shape (n, features) to (n,)."""
        z = self.prepared(x)
        return np.asarray(np.mean([_forward(z, seed)[-1][:, 0] for seed in self.layers], axis=0), dtype=np.float64)

    def prepared(self, x: Matrix) -> Matrix:
        """Normal scores and flags, shape (n, features + flags)."""
        missing = np.isnan(x)
        out = np.zeros((len(x), x.shape[1] + len(self.flags)), np.float32)
        for index in range(x.shape[1]):
            out[:, index] = np.interp(x[:, index], self.knots[index], self.scores[index])
        out[:, : x.shape[1]][missing] = 0
        out[:, x.shape[1] :] = missing[:, self.flags]
        return out

    def contributions(self, x: Matrix) -> Array:
        """Integrated gradients (Sundararajan et al., ICML 2017) from the all-zero record, shape (n, features).

        A flag's share goes to its feature. They add up to the difference of the log-odds exactly: what the finite path
        leaves over is spread in proportion.
        """
        z = self.prepared(x)
        width = x.shape[1]
        total = np.zeros(z.shape)
        for seed in self.layers:
            for step in range(_STEPS):
                total += _gradient(z * ((step + 0.5) / _STEPS), seed)
        parts = z * total / (_STEPS * len(self.layers))
        empty = np.mean([_forward(np.zeros((1, z.shape[1]), np.float32), seed)[-1][0, 0] for seed in self.layers])
        rest = self.logit(x) - float(empty) - parts.sum(axis=1)
        size = np.abs(parts)
        parts += size / np.maximum(size.sum(axis=1, keepdims=True), 1e-12) * rest[:, None]
        own = parts[:, :width].copy()
        own[:, self.flags] += parts[:, width:]
        return np.asarray(own)

    def save(self, path: Path) -> None:
        """Write as safetensors, weights in half precision."""
        from safetensors.numpy import save_file

        tensors = {"knots": self.knots, "scores": self.scores.astype(np.float16), "flags": self.flags}
        for seed, parts in enumerate(self.layers):
            for place, part in enumerate(parts):
                tensors[f"seed{seed}.{place}"] = part.astype(np.float16)
        save_file({name: np.ascontiguousarray(part) for name, part in tensors.items()}, path)


def load_network(path: Path) -> Network:
    """Read what `Network.save` wrote.

    Raises:
        FileError: the file is not that.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        seeds = sorted({name.split(".")[0] for name in tensors if name.startswith("seed")})
        layers = tuple(tuple(tensors[f"{seed}.{place}"].astype(np.float32) for place in range(6)) for seed in seeds)
        knots, scores = tensors["knots"].astype(np.float32), tensors["scores"].astype(np.float32)
        return Network(knots, scores, tensors["flags"].astype(np.int32), layers)
    except (OSError, KeyError, SafetensorError) as error:
        raise FileError(f"{path.name} does not hold a network: {str(error)[:120]}") from error


def _forward(z: Matrix, seed: tuple[Matrix, ...]) -> list[Matrix]:
    """The hidden layers after ReLU, and the output of shape (n, 1)."""
    first = np.maximum(z @ seed[0].T + seed[1], 0)
    second = np.maximum(first @ seed[2].T + seed[3], 0)
    return [first, second, second @ seed[4].T + seed[5]]


def _gradient(z: Matrix, seed: tuple[Matrix, ...]) -> Matrix:
    first, second, _ = _forward(z, seed)
    back = np.where(second > 0, seed[4], np.float32(0)) @ seed[2]
    return np.asarray(np.where(first > 0, back, np.float32(0)) @ seed[0], dtype=np.float32)


def fit_network(x: Matrix, y: Array, seeds: int, epochs: int, hidden: int = 96, batch: int = 128) -> Network:
    """Train on one core. The same data and seeds give the same network on one machine."""
    knots, scores = normal_scores(x)
    flags = np.flatnonzero(np.isnan(x).mean(axis=0) > _EDGE)
    # A variable has many features that are missing together; its last value speaks for them.
    patterns = np.unique(np.isnan(x[:, flags]).T, axis=0, return_index=True)[1] if len(flags) else np.zeros(0, np.int64)
    empty = Network(knots, scores, flags[np.sort(patterns)].astype(np.int32), ())
    z = empty.prepared(x)
    layers = tuple(_fit_one(z, y, seed, epochs, hidden, batch) for seed in range(seeds))
    return Network(knots, scores, empty.flags, layers)


def normal_scores(x: Matrix) -> tuple[Matrix, Matrix]:
    """Knots and normal scores of every feature of x (n, features), both of shape (features, 33)."""
    pairs = [_scale(x[:, index]) for index in range(x.shape[1])]
    return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


def _scale(column: Matrix) -> tuple[Matrix, Matrix]:
    """33 rising knots and their normal scores; a knot that several quantiles share has the mean of their levels."""
    there = column[~np.isnan(column)]
    if not len(there):
        return np.arange(len(_LEVELS), dtype=np.float32), np.zeros(len(_LEVELS), np.float32)
    quantiles = np.quantile(there, _LEVELS)
    unique, index = np.unique(quantiles, return_inverse=True)
    levels = np.bincount(index, weights=_LEVELS) / np.bincount(index)
    normal = ndtri(np.clip(levels, _EDGE, 1 - _EDGE)) if len(unique) > 1 else np.zeros(1)
    points = np.linspace(0, len(unique) - 1, len(_LEVELS))
    place = np.arange(len(unique))
    return np.interp(points, place, unique).astype(np.float32), np.interp(points, place, normal).astype(np.float32)


def _fit_one(z: Matrix, y: Array, seed: int, epochs: int, hidden: int, batch: int) -> tuple[Matrix, ...]:
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Dropout(0.15), nn.Linear(z.shape[1], hidden), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, 1),
    )  # fmt: skip
    inputs, target = torch.from_numpy(z), torch.from_numpy(y.astype(np.float32))
    steps = epochs * -(-len(z) // batch)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(z), generator=generator)
        for start in range(0, len(z), batch):
            rows = order[start : start + batch]
            optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(net(inputs[rows])[:, 0], target[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rate.step()
    torch.random.set_rng_state(before)
    return tuple(part.detach().numpy().copy() for part in net.parameters())

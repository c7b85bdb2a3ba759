"""Records as padded sequences of events, the input of every sequence model; and the training loop that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.cohort import Rows
from tools.ehr.risk.events import Events

if TYPE_CHECKING:
    import torch

PAD = 0
"""The code of no event; real codes begin at 1."""


@dataclass(frozen=True)
class Sequences:
    """n records of at most L events, oldest first. All arrays have shape (n, L).

    `code` is 1 + the index in `vocabulary`, 0 for padding; `value` in the variable's own unit, NaN where there is none;
    `hours` before the moment, 0 for static events.
    """

    code: NDArray[np.int64]
    value: NDArray[np.float32]
    hours: NDArray[np.float32]
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.code)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Sequences:
        """The records of a mask or an index."""
        return Sequences(self.code[keep], self.value[keep], self.hours[keep], self.vocabulary)


def sequences(events: Events, rows: Rows, length: int, window: float = 48.0, step: float = 4.0) -> Sequences:
    """The last value of each variable in every `step` hours, the latest `length` of them; nothing after a row's moment.

    One moment per subject. Static events stand at the end and always stay, up to the length.
    """
    known = events.until(dict(zip(rows.subject.tolist(), rows.moment, strict=True)))
    order = np.argsort(rows.subject, kind="stable")
    place = order[np.searchsorted(rows.subject[order], known.subject)]
    before = (rows.moment[place] - known.time).astype("timedelta64[s]").astype(np.float64) / 3600
    static = np.isnat(known.time)
    before[static] = 0.0
    part = np.where(static, -1, np.floor(before / step)).astype(np.int64)
    keep = before <= window
    place, code, value, before, part = place[keep], known.code[keep], known.value[keep], before[keep], part[keep]
    sort = np.lexsort((before, part, code, place))
    place, code, value, before, part = place[sort], code[sort], value[sort], before[sort], part[sort]
    key = np.stack([place, code, part])
    first = np.append(True, (key[:, 1:] != key[:, :-1]).any(axis=0)) if len(place) else np.zeros(0, bool)
    place, code, value, before = place[first], code[first], value[first], before[first]
    sort = np.lexsort((code, before, place))
    place, code, value, before = place[sort], code[sort], value[sort], before[sort]
    start = np.searchsorted(place, np.arange(len(rows)))
    rank = np.arange(len(place)) - start[place]
    column = length - 1 - rank
    fits = column >= 0
    out = Sequences(
        np.zeros((len(rows), length), np.int64), np.full((len(rows), length), np.nan, np.float32),
        np.zeros((len(rows), length), np.float32), known.vocabulary,
    )  # fmt: skip
    out.code[place[fits], column[fits]] = code[fits] + 1
    out.value[place[fits], column[fits]] = value[fits]
    out.hours[place[fits], column[fits]] = before[fits]
    return out


@dataclass(frozen=True)
class Scale:
    """Median and spread of each code, for values as inputs; shape (codes + 1,)."""

    middle: NDArray[np.float32]
    spread: NDArray[np.float32]

    def apply(self, records: Sequences) -> NDArray[np.float32]:
        """Standardised values, clipped at 4, 0 where there is none; shape (n, L)."""
        z = (records.value - self.middle[records.code]) / self.spread[records.code]
        return np.asarray(np.nan_to_num(np.clip(z, -4, 4)), dtype=np.float32)


def fit_scale(records: Sequences) -> Scale:
    """From the training records only."""
    size = len(records.vocabulary) + 1
    middle, spread = np.zeros(size, np.float32), np.ones(size, np.float32)
    for code in range(1, size):
        values = records.value[records.code == code]
        values = values[~np.isnan(values)]
        if len(values):
            low, middle[code], high = np.quantile(values, [0.1, 0.5, 0.9])
            spread[code] = max(float(high - low) / 2.5, 1e-3)
    return Scale(middle, spread)


def batches(n: int, size: int, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Shuffled indices, epoch after epoch."""
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        order = random.permutation(n)
        for start in range(0, n, size):
            yield order[start : start + size]


def descend(
    module: torch.nn.Module,
    loss: Callable[[NDArray[np.int64]], torch.Tensor],
    n: int,
    size: int = 64,
    epochs: int = 5,
    rate: float = 2e-3,
    seed: int = 0,
) -> list[float]:
    """Train `module` on one core with AdamW and a one-cycle rate; the mean loss per epoch."""
    import torch

    steps = epochs * -(-n // size)
    optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    module.train()
    losses: list[float] = []
    for batch in batches(n, size, epochs, seed):
        optimiser.zero_grad()
        value = loss(batch)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(value.detach()))
    module.eval()
    per_epoch = -(-n // size)
    return [float(np.mean(losses[i : i + per_epoch])) for i in range(0, len(losses), per_epoch)]


def masked_mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over axis 1 of x (n, L, d) where mask (n, L) holds: by the mask's count, not by what is not zero."""
    weight = mask.unsqueeze(-1).to(x.dtype)
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)

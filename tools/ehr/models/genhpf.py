"""GenHPF: a record as text, so that sets with other codes need no mapping (Hur et al., IEEE JBHI 2023; arXiv:2207.09858).

An event is the words of its table, columns and values; numbers are split into digits, each with its place. A token
transformer makes one vector per event, an event transformer one per record, and every task has a head of its own; a task
that is unknown for a record adds nothing to the loss. Mended here: means count the mask (not what is non-zero), and hours
can be an input.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tools.ehr.models.sequences import Sequences, descend, masked_mean

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]
WORDS = 4096
"""Words are hashed into this many rows; 0 is padding."""
TOKENS = 16
_TABLE, _COLUMN, _VALUE = 1, 2, 3
_PLACES = 12


@dataclass(frozen=True)
class Head:
    """A task: binary, several classes, or several labels at once."""

    kind: Literal["binary", "classes", "labels"]
    size: int = 1


HEADS: dict[str, Head] = {
    "mortality": Head("binary"), "long_term_mortality": Head("binary"), "los_3": Head("binary"), "los_7": Head("binary"),
    "readmission": Head("binary"), "final_acuity": Head("classes", 6), "imminent_discharge": Head("classes", 6),
    "diagnosis": Head("labels", 17), "bilirubin": Head("classes", 5), "platelets": Head("classes", 5),
    "creatinine": Head("classes", 5), "wbc": Head("classes", 3),
}  # fmt: skip
"""The twelve of the paper."""


@dataclass(frozen=True)
class Naming:
    """How one hospital writes its events: the table's name, the columns, and a name and a unit per code."""

    table: str
    columns: tuple[str, str, str]
    names: Mapping[str, str]
    units: Mapping[str, str]


@dataclass(frozen=True)
class Texts:
    """Token ids of every different event text, shape (texts + 1, TOKENS); row 0 is padding; `index` is (n, L)."""

    tokens: NDArray[np.int64]
    kinds: NDArray[np.int64]
    places: NDArray[np.int64]
    index: NDArray[np.int64]


def tokenise(words: list[tuple[str, int]]) -> tuple[list[int], list[int], list[int]]:
    """Ids, type ids and digit places of (text, type) pairs; numbers fall into digits, other text into words."""
    ids, kinds, places = [], [], []
    for text, kind in words:
        for part in re.findall(r"\d+\.?\d*|[a-z]+", text.lower()):
            if part[0].isdigit():
                whole = part.split(".")[0]
                size = len(whole)
                pieces = [(digit, size - i if i < size else 6 + i - size) for i, digit in enumerate(part)]
            else:
                pieces = [(part, 0)]
            for piece, place in pieces:
                ids.append(1 + zlib.crc32(piece.encode()) % (WORDS - 1))
                kinds.append(kind)
                places.append(min(max(place, 0), _PLACES - 1))
    return ids[:TOKENS], kinds[:TOKENS], places[:TOKENS]


def write_texts(records: Sequences, naming: Naming) -> Texts:
    """The records in one hospital's words. Values keep at most four decimals."""
    seen: dict[tuple[int, str], int] = {}
    rows: list[tuple[list[int], list[int], list[int]]] = [([], [], [])]
    index = np.zeros(records.code.shape, np.int64)
    for place in zip(*np.nonzero(records.code), strict=True):
        code, value = int(records.code[place]), float(records.value[place])
        text = "" if np.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")
        if (code, text) not in seen:
            seen[code, text] = len(rows)
            name = records.vocabulary[code - 1]
            words = [(naming.table, _TABLE), (naming.columns[0], _COLUMN), (naming.names.get(name, name), _VALUE)]
            words += [(naming.columns[1], _COLUMN), (text, _VALUE)] if text else []
            unit = naming.units.get(name, "")
            words += [(naming.columns[2], _COLUMN), (unit, _VALUE)] if unit else []
            rows.append(tokenise(words))
        index[place] = seen[code, text]
    padded = np.zeros((3, len(rows), TOKENS), np.int64)
    for number, parts in enumerate(rows):
        for kind, values in enumerate(parts):
            padded[kind, number, : len(values)] = values
    return Texts(padded[0], padded[1], padded[2], index)


def joined(first: Texts, second: Texts) -> Texts:
    """Two sets of records as one, the first's records first."""
    offset = len(first.tokens) - 1
    index = np.concatenate([first.index, np.where(second.index > 0, second.index + offset, 0)])
    parts = [np.concatenate([getattr(first, name), getattr(second, name)[1:]]) for name in ("tokens", "kinds", "places")]
    return Texts(parts[0], parts[1], parts[2], index)


@dataclass
class GenHPF:
    """The model of some heads; `timed` adds an encoding of the hours before the moment to each event."""

    heads: dict[str, Head]
    width: int = 48
    layers: int = 1
    timed: bool = True
    seed: int = 0
    net: torch.nn.Module | None = field(default=None, repr=False)

    def fit(
        self, texts: Texts, hours: NDArray[np.float32], labels: Mapping[str, Array], epochs: int = 4, size: int = 64
    ) -> list[float]:
        """Train on labels by head, NaN where unknown ((n,) or, for "labels", (n, size)); the loss per epoch."""
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.net = _network(self.heads, self.width, self.layers, self.timed)
            known = {name: torch.from_numpy(np.asarray(values, np.float32)) for name, values in labels.items()}

            def loss(batch: NDArray[np.int64]) -> torch.Tensor:
                out = _run(self.net, texts, hours, batch)
                return sum_of_losses(self.heads, out, {name: values[batch] for name, values in known.items()})

            return descend(self.net, loss, len(hours), size, epochs, seed=self.seed)

    def predict(self, texts: Texts, hours: NDArray[np.float32], head: str) -> Array:
        """Log-odds (n,) of a binary head, else scores (n, size)."""
        import torch

        parts = []
        with torch.no_grad():
            for start in range(0, len(hours), 64):
                batch = np.arange(start, min(start + 64, len(hours)))
                parts.append(_run(self.net, texts, hours, batch)[head].numpy())
        out = np.concatenate(parts).astype(np.float64)
        return out[:, 0] if self.heads[head].kind == "binary" else out


def sum_of_losses(
    heads: Mapping[str, Head], out: Mapping[str, torch.Tensor], labels: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Sum over heads of the mean loss on records whose label is known; a head without any adds 0."""
    import torch
    from torch.nn import functional

    total = torch.zeros(())
    for name, head in heads.items():
        if name not in labels:
            continue
        label = labels[name]
        known = ~torch.isnan(label)
        if head.kind == "labels":
            known = known.all(dim=1)
        if not bool(known.any()):
            continue
        scores, label = out[name][known], label[known]
        if head.kind == "classes":
            total = total + functional.cross_entropy(scores, label.long())
        else:
            shaped = label if head.kind == "labels" else label[:, None]
            total = total + functional.binary_cross_entropy_with_logits(scores, shaped)
    return total


def _run(
    net: torch.nn.Module | None, texts: Texts, hours: NDArray[np.float32], batch: NDArray[np.int64]
) -> dict[str, torch.Tensor]:
    import torch

    if net is None:
        raise RuntimeError("GenHPF.predict needs a model that was fitted.")
    used, inverse = np.unique(texts.index[batch], return_inverse=True)
    # Padding must be row 0 of what is encoded.
    if used[0] != 0:
        used, inverse = np.concatenate([[0], used]), inverse + 1
    parts = [torch.from_numpy(part[used]) for part in (texts.tokens, texts.kinds, texts.places)]
    index, time = torch.from_numpy(inverse.reshape(len(batch), -1)), torch.from_numpy(hours[batch])
    out: dict[str, torch.Tensor] = net(*parts, index, time)
    return out


def _network(heads: Mapping[str, Head], width: int, layers: int, timed: bool) -> torch.nn.Module:
    import torch
    from torch import nn

    def transformer() -> nn.TransformerEncoder:
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True)
        return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(WORDS, width, padding_idx=0)
            self.kind, self.place = nn.Embedding(4, width), nn.Embedding(_PLACES, width)
            self.position = nn.Parameter(0.02 * torch.randn(TOKENS, width))
            self.tokens, self.events = transformer(), transformer()
            self.time = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width))
            self.norm = nn.LayerNorm(width)
            self.heads = nn.ModuleDict({name: nn.Linear(width, head.size) for name, head in heads.items()})

        def forward(
            self, ids: torch.Tensor, kinds: torch.Tensor, places: torch.Tensor, index: torch.Tensor, hours: torch.Tensor
        ) -> dict[str, torch.Tensor]:
            there = ids > 0
            x = self.word(ids) + self.kind(kinds) + self.place(places) + self.position
            # Row 0 has no token at all; attending to one padding token keeps it finite, and its mean is 0.
            hidden = ~there
            hidden[:, 0] = False
            each = masked_mean(self.tokens(x, src_key_padding_mask=hidden), there)
            record = each[index]
            if timed:
                record = record + self.time(torch.stack([hours / 48, torch.log1p(hours) / 4], dim=-1))
            mask = index > 0
            hidden = ~mask
            hidden[:, -1] = False
            whole = self.norm(masked_mean(self.events(record, src_key_padding_mask=hidden), mask))
            return {name: head(whole) for name, head in self.heads.items()}

    return Net()


_LABS: dict[str, tuple[str, tuple[float, ...], bool]] = {
    "bilirubin": ("Bilirubin", (1.2, 2, 6, 12), False), "platelets": ("Platelets", (150, 100, 50, 20), True),
    "creatinine": ("Creatinine", (1.2, 2, 3.5, 5), False), "wbc": ("WBC", (4, 12.0001), False),
}  # fmt: skip


def lab_class(head: str, mean: Array) -> Array:
    """The paper's class of a mean value (NaN stays NaN): bilirubin and creatinine rising, platelets falling, WBC three."""
    _, cuts, falling = _LABS[head]
    steps = np.sum([mean < cut if falling else mean >= cut for cut in cuts], axis=0).astype(np.float64)
    return np.where(np.isnan(mean), np.nan, steps)


def lab_variable(head: str) -> str:
    """The variable whose mean in the window a laboratory head predicts."""
    return _LABS[head][0]

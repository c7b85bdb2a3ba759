"""What an encoder is compared with: raw pixels, their principal components, and the same network untrained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.ports import ImageEncoder
from retrieval.images.pictures import as_squares

Vectors = NDArray[np.float32]


class Baseline:
    """An encoder without text; `identity` is what the table calls it."""

    reads_text = False

    def __init__(self, identity: str, dimension: int) -> None:
        self.identity = identity
        self.dimension = dimension

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Baselines read no text.

        Raises:
            InputError: always.
        """
        raise InputError(f"The baseline {self.identity} reads no text.")


class RawPixels(Baseline):
    """The 32 x 32 pixels that our encoder sees, as they are."""

    def __init__(self) -> None:
        super().__init__("raw pixels", 32 * 32)

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> Vectors:
        """Unit vectors of 1,024 pixels."""
        return _unit(as_squares(pictures).reshape(len(pictures), -1))


class PrincipalComponents(Baseline):
    """The first components of the training pictures' pixels, whitened not."""

    def __init__(self, training: Sequence[NDArray[np.generic]], dimension: int = 64) -> None:
        super().__init__(f"PCA {dimension}", dimension)
        pixels = as_squares(training).reshape(len(training), -1)
        self._mean = pixels.mean(axis=0)
        _, _, rows = np.linalg.svd(pixels - self._mean, full_matrices=False)
        self._axes = rows[:dimension].T

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> Vectors:
        """Unit vectors of the components."""
        pixels = as_squares(pictures).reshape(len(pictures), -1)
        return _unit((pixels - self._mean) @ self._axes)


class RandomNetwork(Baseline):
    """Our network with the weights it starts from."""

    def __init__(self, seed: int = 0) -> None:
        import torch

        from retrieval.images.network import FilmEncoder

        torch.manual_seed(seed)
        self._network = FilmEncoder().eval()
        super().__init__("random network", FilmEncoder.dimension)

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> Vectors:
        """Unit vectors of the untrained features."""
        import torch

        with torch.inference_mode():
            return _unit(self._network(torch.from_numpy(as_squares(pictures))).numpy())


def baselines(training: Sequence[NDArray[np.generic]]) -> tuple[ImageEncoder, ...]:
    """All of them."""
    return RawPixels(), PrincipalComponents(training), RandomNetwork()


def _unit(values: NDArray[np.floating]) -> Vectors:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9), dtype=np.float32)

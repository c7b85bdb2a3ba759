"""Gives a computed film the look of a radiograph: of a reference film, or one drawn from the looks that were learned."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from core.errors import CallError, FileError
from tools.imaging.xray.radiograph import Radiograph
from tools.imaging.xray.style.looks import content_of
from tools.imaging.xray.style.network import StyleNet, pose_of

Array = NDArray[np.float32]
_REFERENCE_SIDE = 224
"""References are read at this size: the scale of details at which the encoder was trained."""


class Stylist:
    """The network with its weights."""

    def __init__(self, weights: Path) -> None:
        """Load weights.

        Raises:
            FileError: they are not those of this network.
        """
        content = weights.read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        tensors = load_file(weights)
        try:
            self._mean, self._covariance = tensors.pop("codes.mean"), tensors.pop("codes.covariance")
            self._net = StyleNet()
            self._net.load_state_dict(tensors)
        except (KeyError, RuntimeError) as error:
            raise FileError(f"{weights.name} are no weights of the style network.") from error
        self._net.eval()

    def code_of(self, reference: Array) -> torch.Tensor:
        """The style code (CODE,) of a film (rows, columns), 0 to 1, bone bright."""
        film = torch.from_numpy(np.ascontiguousarray(reference, dtype=np.float32))[None, None]
        side = max(film.shape[2:])
        if side > _REFERENCE_SIDE:
            size = [max(32, round(n * _REFERENCE_SIDE / side)) for n in film.shape[2:]]
            film = torch.nn.functional.interpolate(film, size, mode="area")
        with torch.inference_mode():
            code: torch.Tensor = self._net.encoder(film)[0]
        return code

    def drawn_code(self, seed: int) -> torch.Tensor:
        """A style code drawn from the distribution of those in training."""
        spread = torch.linalg.cholesky(self._covariance + 1e-6 * torch.eye(len(self._mean)))
        code: torch.Tensor = self._mean + spread @ torch.randn(
            len(self._mean), generator=torch.Generator().manual_seed(seed)
        )
        return code

    def restyle(self, film: Radiograph, code: torch.Tensor, seed: int = 0, *, grain: bool = True) -> Array:
        """The film (rows, columns), 0 to 1, in a style; collimated as it was."""
        view = film.camera.view
        content = torch.from_numpy(content_of(film.dense, film.camera.mm_per_pixel))[None, None]
        noise = torch.randn(content.shape, generator=torch.Generator().manual_seed(seed)) if grain else None
        with torch.inference_mode():
            made = self._net(content, pose_of(view.azimuth, view.elevation)[None], code[None], noise)[0, 0].numpy()
        return np.asarray(np.where(film.shade > 0, made, 0), dtype=np.float32)


@lru_cache(maxsize=1)
def shipped_stylist() -> Stylist:
    """With the weights that ship."""
    with as_file(files("tools.imaging.xray.style") / "weights" / "style.safetensors") as path:
        return Stylist(path)


def as_reference(pixels: NDArray[np.generic]) -> Array:
    """A film's grey values as a reference: 1st to 99th percentile to 0 to 1.

    Raises:
        CallError: it is too small or of one grey.
    """
    values = pixels.astype(np.float32)
    if min(values.shape) < 32:
        raise CallError(f"A reference film needs at least 32 x 32 pixels, got {values.shape[1]} x {values.shape[0]}.")
    low, high = (float(v) for v in np.percentile(values, (1, 99)))
    if high - low < 1e-6:
        raise CallError("The reference film is of one grey: there is no style in it.")
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)

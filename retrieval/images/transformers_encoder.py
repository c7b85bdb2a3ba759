"""Any `transformers` vision or vision-language model of a local folder, behind `core.ports.ImageEncoder`.

CLIP-like models (BiomedCLIP- or MedImageInsight-style exports with `get_image_features`) encode images and texts into one
space; DINO- and ViT-like ones images only (the pooled output, or the mean of the tokens). Code inside a model's folder
is never run.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import FileError, InputError

_BATCH = 16


@dataclass(frozen=True)
class _Parts:
    model: Any
    prepare_images: Any
    tokenize: Any | None


class TransformersImageEncoder:
    """A model by its folder (`config.json`, `model.safetensors`, `preprocessor_config.json`, maybe a tokenizer).

    Raises:
        FileError: the folder is not there or lacks a file; the message names it.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("config.json", "preprocessor_config.json"):
            if not (folder / name).is_file():
                raise FileError(
                    f"An image model has config.json and preprocessor_config.json; {folder.name!r} lacks {name}."
                )
        self._folder = folder
        self._lock = threading.Lock()
        self._parts: _Parts | None = None
        self.identity = f"{folder.name}/{_digest(folder)[:16]}"
        self.dimension = self.encode([np.outer(np.arange(32), np.arange(32))]).shape[1]

    @property
    def reads_text(self) -> bool:
        """Whether the model has a text side and its tokenizer is there."""
        return self._loaded().tokenize is not None

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Vectors of shape (len(pictures), dimension), rows of norm 1."""
        import torch

        parts = self._loaded()
        rows = []
        with torch.inference_mode():
            for start in range(0, len(pictures), _BATCH):
                images = [_as_rgb(picture) for picture in pictures[start : start + _BATCH]]
                pixels = parts.prepare_images(images=images, return_tensors="pt")["pixel_values"]
                rows.append(_unit(_image_features(parts.model, pixels)))
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts in the space of the images.

        Raises:
            InputError: the model has no text side.
        """
        import torch

        parts = self._loaded()
        if parts.tokenize is None:
            raise InputError(f"The model {self._folder.name!r} reads images only; give a CLIP-like one to search by text.")
        tokens = parts.tokenize(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            return _unit(_tensor(parts.model.get_text_features(**tokens)))

    def _loaded(self) -> _Parts:
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        with self._lock:
            if self._parts is None:
                where = {"pretrained_model_name_or_path": str(self._folder), "local_files_only": True}
                try:
                    model = AutoModel.from_pretrained(**where, trust_remote_code=False).eval()
                    prepare = AutoImageProcessor.from_pretrained(**where, use_fast=False)
                    named = hasattr(model, "get_text_features") and (self._folder / "tokenizer_config.json").is_file()
                    tokenize = AutoTokenizer.from_pretrained(**where) if named else None
                except (OSError, ValueError, KeyError) as error:
                    raise FileError(f"The model in {self._folder.name!r} cannot be loaded: {error}") from error
                self._parts = _Parts(model, prepare, tokenize)
            return self._parts


def _image_features(model: Any, pixels: Any) -> Any:
    if hasattr(model, "get_image_features"):
        return _tensor(model.get_image_features(pixel_values=pixels))
    return _tensor(model(pixel_values=pixels))


def _tensor(output: Any) -> Any:
    """The pooled vector of whatever a model returns."""
    if hasattr(output, "shape"):
        return output
    pooled = getattr(output, "pooler_output", None)
    return pooled.flatten(1) if pooled is not None else output.last_hidden_state.mean(dim=1)


def _unit(features: Any) -> NDArray[np.float32]:
    import torch

    return np.asarray(torch.nn.functional.normalize(features.float(), dim=1).numpy(), dtype=np.float32)


def _as_rgb(pixels: NDArray[np.generic]) -> Image.Image:
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(np.round(255 * (values - low) / max(high - low, 1e-6)).astype(np.uint8)).convert("RGB")


def _digest(folder: Path) -> str:
    """Of all weights and of how images are prepared: the same folder with other weights is another encoder."""
    digest = hashlib.sha256()
    files = sorted([*folder.glob("*.safetensors"), folder / "config.json", folder / "preprocessor_config.json"])
    if not any(path.suffix == ".safetensors" for path in files):
        raise FileError(f"{folder.name!r} has no .safetensors weights (pickled weights are not loaded).")
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()

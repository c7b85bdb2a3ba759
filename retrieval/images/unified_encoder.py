"""An encoder of our own training that reads films, texts and pairs, behind `core.ports.ImageEncoder`."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, InputError
from retrieval.images.pictures import as_squares
from retrieval.images.words import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from retrieval.images.unified_network import UnifiedEncoder

_BATCH = 64
KIND = "unified"


def is_unified(weights: Path) -> bool:
    """Whether a weights file holds such an encoder, by its header.

    Raises:
        FileError: it is no safetensors file.
    """
    return _header(weights).get("kind") == KIND


class UnifiedFilmEncoder:
    """Weights of `consilium image-index train DIR --objective unified`; safe to use from several threads.

    Raises:
        FileError: the file holds no such encoder.
    """

    dimension = 192
    reads_text = True

    def __init__(self, weights: Path) -> None:
        header = _header(weights)
        if header.get("kind") != KIND:
            raise FileError(f"{weights.name!r} holds no encoder of films and texts.")
        self._vocabulary = Vocabulary(tuple(json.loads(header["vocabulary"])))
        with weights.open("rb") as file:
            self.identity = f"{weights.stem}/{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
        self._weights = weights
        self._lock = threading.Lock()
        self._network: UnifiedEncoder | None = None

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Vectors of shape (len(pictures), 192), rows of norm 1.

        Raises:
            FileError: a picture is not 2-D, too small or of one grey.
        """
        return self._encoded(pictures, None)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of descriptions in the same space.

        Raises:
            InputError: a text has no word that the training reports had.
        """
        self._check(texts)
        return self._encoded(None, texts)

    def encode_pairs(self, pictures: Sequence[NDArray[np.generic]], texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of films with their descriptions, in the same space.

        Raises:
            FileError: a picture cannot be read.
            InputError: a text has no known word, or there is not one text per picture.
        """
        if len(pictures) != len(texts):
            raise InputError(f"There must be one text per picture, got {len(pictures)} pictures and {len(texts)} texts.")
        self._check(texts)
        return self._encoded(pictures, texts)

    def _check(self, texts: Sequence[str]) -> None:
        for text in texts:
            if not self._vocabulary.known(text):
                raise InputError(
                    f"None of the words of {text!r} was in the reports that the encoder {self.identity} learnt from. It "
                    f"knows {len(self._vocabulary.words)} words, such as {', '.join(self._vocabulary.words[:8])}."
                )

    def _encoded(self, pictures: Sequence[NDArray[np.generic]] | None, texts: Sequence[str] | None) -> NDArray[np.float32]:
        import torch

        network = self._loaded()
        count = len(pictures if pictures is not None else texts or ())
        vectors = np.zeros((count, self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, count, _BATCH):
                part = slice(start, start + _BATCH)
                films: Tensor | None = None if pictures is None else torch.from_numpy(as_squares(pictures[part]))
                numbers = None if texts is None else torch.from_numpy(self._vocabulary.encode(texts[part]))
                vectors[part] = network(films, numbers).numpy()
        return vectors

    def _loaded(self) -> UnifiedEncoder:
        from safetensors.torch import load_file

        from retrieval.images.unified_network import UnifiedEncoder

        with self._lock:
            if self._network is None:
                network = UnifiedEncoder(len(self._vocabulary))
                network.load_state_dict(load_file(self._weights))
                self._network = network.eval()
            return self._network


def _header(weights: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise FileError(f"{weights.name!r} cannot be read as weights: {error}.") from error

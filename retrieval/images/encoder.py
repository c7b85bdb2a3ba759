"""The film encoder that ships, behind `core.ports.ImageEncoder`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, InputError, MissingRequirement
from retrieval.images.pictures import as_squares
from retrieval.images.unified_encoder import UnifiedFilmEncoder, is_unified

if TYPE_CHECKING:
    from retrieval.images.network import FilmEncoder

_SHIPPED = Path(__file__).parent / "weights" / "film-encoder.safetensors"
_TRAIN = "consilium image-index train DIR --out FOLDER"
_BATCH = 64


def own_encoder(weights: Path) -> SmallFilmEncoder | UnifiedFilmEncoder:
    """The encoder of a weights file that `consilium image-index train` wrote, of whichever objective.

    Raises:
        FileError: the file is not there or holds no such weights.
    """
    if not weights.is_file():
        raise FileError(f"There are no encoder weights {weights.name!r}.")
    return UnifiedFilmEncoder(weights) if is_unified(weights) else SmallFilmEncoder(weights)


class SmallFilmEncoder:
    """Our own encoder: 288 numbers per picture, trained on small chest films; its card lies beside the weights.

    Weights are loaded at the first use; safe to use from several threads.

    Raises:
        MissingRequirement: the weights are not there.
    """

    dimension = 288
    reads_text = False

    def __init__(self, weights: Path = _SHIPPED) -> None:
        if not weights.is_file():
            raise MissingRequirement(f"The weights of the film encoder ({weights.name})", _TRAIN)
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.identity = f"{weights.stem}/{digest[:16]}"
        self._weights = weights
        self._lock = threading.Lock()
        self._network: FilmEncoder | None = None

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Vectors of shape (len(pictures), 288), rows of norm 1.

        Raises:
            FileError: a picture is not 2-D, too small or of one grey.
        """
        import torch

        vectors = np.zeros((len(pictures), self.dimension), dtype=np.float32)
        network = self._loaded()
        starts = range(0, len(pictures), _BATCH)
        with torch.inference_mode(), ThreadPoolExecutor(1, "prepare-pictures") as aside:
            # The next batch is prepared while the network works on this one.
            for start, prepared in zip(
                starts, aside.map(lambda at: as_squares(pictures[at : at + _BATCH]), starts), strict=True
            ):
                features = torch.nn.functional.normalize(network(torch.from_numpy(prepared)), dim=1)
                vectors[start : start + len(prepared)] = features.numpy()
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """This encoder reads no text.

        Raises:
            InputError: always.
        """
        raise InputError("The film encoder reads no text; search with an image, or index with a vision-language model.")

    def _loaded(self) -> FilmEncoder:
        from safetensors.torch import load_file

        from retrieval.images.network import FilmEncoder

        with self._lock:
            if self._network is None:
                network = FilmEncoder()
                network.load_state_dict(load_file(self._weights))
                self._network = network.eval()
            return self._network

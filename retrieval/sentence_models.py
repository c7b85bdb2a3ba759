"""Encoders and cross-encoders of the sentence-transformers library, by name or by folder; extra `sentence`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, MissingRequirement

_INSTALL = "pip install 'consilium[sentence]'"


class SentenceEncoder:
    """A `core.ports.Encoder`. A name that is no folder is looked up among the models on this machine, never fetched.

    Raises:
        MissingRequirement: the library is not installed.
        InputError: there is no such model here.
    """

    def __init__(self, name: str) -> None:
        self._model = _loaded("SentenceTransformer", name)
        self._identity = f"{Path(name).name}/{_weights_hash(self._model)}"

    @property
    def identity(self) -> str:
        """Name and hash of the weights."""
        return self._identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._model.get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dimension), rows of norm 1."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        made = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(made, dtype=np.float32)


class SentenceReranker:
    """A `core.ports.Reranker` over a cross-encoder, by name or folder; scores are its raw outputs.

    Raises:
        MissingRequirement: the library is not installed.
        InputError: there is no such model here, or it has not one score per pair.
    """

    def __init__(self, name: str) -> None:
        self._model = _loaded("CrossEncoder", name)
        if getattr(self._model, "num_labels", 1) != 1:
            raise InputError(f"{name!r} has {self._model.num_labels} outputs per pair; a reranker has one.")
        self._identity = f"{Path(name).name}/{_weights_hash(self._model)}"

    @property
    def identity(self) -> str:
        """Name and hash of the weights."""
        return self._identity

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Scores of shape (len(passages),)."""
        if not passages:
            return np.zeros(0, dtype=np.float32)
        import torch

        pairs = [(question, passage) for passage in passages]
        made = self._model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
        return np.asarray(made, dtype=np.float32).reshape(len(passages))


def _loaded(kind: str, name: str) -> Any:
    try:
        import sentence_transformers
    except ImportError as error:
        raise MissingRequirement("sentence-transformers", _INSTALL) from error
    try:
        return getattr(sentence_transformers, kind)(name, local_files_only=True, device="cpu")
    except (OSError, ValueError) as error:
        raise InputError(
            f"There is no sentence-transformers model {name!r} on this machine; give a folder, or fetch it first."
        ) from error


def _weights_hash(model: Any) -> str:
    """Over names, shapes and contents: the same weights from wherever they were loaded."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]

"""An OpenAI-compatible multimodal embedding endpoint (vLLM serves such models), behind `core.ports.ImageEncoder`."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import EndpointError

_TIMEOUT_S = 60.0


class EndpointImageEncoder:
    """`POST /v1/embeddings` with one chat-style message per picture, the form vLLM documents for multimodal models.

    Pictures leave this process: give an endpoint on this machine, or one that may see them.

    Raises:
        EndpointError: it does not answer, or not with one vector per picture.
    """

    reads_text = True

    def __init__(self, base_url: str, model: str, api_key: str = "") -> None:
        self._url = base_url.rstrip("/") + "/embeddings"
        self._model = model
        self._client = httpx.Client(
            timeout=_TIMEOUT_S, headers={"Authorization": f"Bearer {api_key}"} if api_key else {}, trust_env=False
        )
        self.identity = f"{model}@{base_url.rstrip('/')}"
        self.dimension = self.encode_texts(["chest radiograph"]).shape[1]

    def encode(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
        """Vectors of shape (len(pictures), dimension), rows of norm 1."""
        return self._embed([{"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures])

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts in the same space."""
        return self._embed([{"type": "text", "text": text} for text in texts])

    def _embed(self, parts: Sequence[dict[str, object]]) -> NDArray[np.float32]:
        rows = [self._one(part) for part in parts]
        if not rows:
            return np.zeros((0, self.dimension), dtype=np.float32)
        if len({len(row) for row in rows}) != 1 or not all(np.linalg.norm(row) > 0 for row in rows):
            raise EndpointError(f"The embedding endpoint {self._url} gave vectors of different lengths, or of length 0.")
        vectors = np.asarray(rows, dtype=np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    def _one(self, part: dict[str, object]) -> list[float]:
        body = {"model": self._model, "messages": [{"role": "user", "content": [part]}], "encoding_format": "float"}
        try:
            answer = self._client.post(self._url, json=body)
            answer.raise_for_status()
            return [float(value) for value in answer.json()["data"][0]["embedding"]]
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
            raise EndpointError(
                f"The embedding endpoint {self._url} gave no vector ({type(error).__name__}: {error})."
            ) from error


def _data_url(pixels: NDArray[np.generic]) -> str:
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    grey = np.round(255 * (values - low) / max(high - low, 1e-6)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()

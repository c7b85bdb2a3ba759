"""Encoders and rerankers behind an HTTP endpoint, as vLLM and others serve them.

`/v1/embeddings` is OpenAI's protocol; `/v1/rerank` is Jina's and Cohere's, `/v1/score` vLLM's. Nothing is sent anywhere
unless such an address was given; what is sent are questions and passages of literature, never a patient's record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from core.errors import EndpointError

_BATCH = 64
_TIMEOUT_S = 60.0


class ServedEncoder:
    """A `core.ports.Encoder` at `url`, the address up to and with `/v1`.

    Raises:
        EndpointError: it does not answer, or answers something that is not the protocol.
    """

    def __init__(self, url: str, model: str, key: str = "") -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._key = key
        self._dimension = 0

    @property
    def identity(self) -> str:
        """The model's name; its weights cannot be seen from here."""
        return f"served/{self._model}"

    @property
    def dimension(self) -> int:
        """Length of a vector, asked for once."""
        if not self._dimension:
            self._dimension = self.encode(["dimension"]).shape[1]
        return self._dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dimension), rows of norm 1."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        parts = [self._asked(list(texts[start : start + _BATCH])) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(parts)

    def _asked(self, texts: list[str]) -> NDArray[np.float32]:
        answer = post(f"{self._url}/embeddings", {"model": self._model, "input": texts}, self._key)
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            vectors = np.asarray([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"{self._url}/embeddings answered without the vectors: {error}.") from error
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise EndpointError(f"{self._url}/embeddings answered {vectors.shape} numbers for {len(texts)} texts.")
        unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit


class ServedReranker:
    """A `core.ports.Reranker` at `url`, the address up to and with `/v1`; `/rerank` is tried first, then `/score`.

    Raises:
        EndpointError: neither answers as it should.
    """

    def __init__(self, url: str, model: str, key: str = "") -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._key = key

    @property
    def identity(self) -> str:
        """The model's name; its weights cannot be seen from here."""
        return f"served/{self._model}"

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Scores of shape (len(passages),): log-odds of the relevance between 0 and 1 that the endpoint gives."""
        if not passages:
            return np.zeros(0, dtype=np.float32)
        asked = {"model": self._model, "query": question, "documents": list(passages)}
        try:
            answer = post(f"{self._url}/rerank", asked, self._key)
            found = {int(row["index"]): float(row["relevance_score"]) for row in answer["results"]}
        except _NotServedError:
            asked = {"model": self._model, "text_1": question, "text_2": list(passages)}
            answer = post(f"{self._url}/score", asked, self._key)
            found = {int(row["index"]): float(row["score"]) for row in _rows(answer)}
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"{self._url}/rerank answered without the scores: {error}.") from error
        if sorted(found) != list(range(len(passages))):
            raise EndpointError(f"{self._url} scored passages {sorted(found)[:5]}... of {len(passages)}.")
        return np.array([_log_odds(found[place]) for place in range(len(passages))], dtype=np.float32)


class _NotServedError(EndpointError):
    """The endpoint has no such path."""


def post(url: str, body: dict[str, Any], key: str) -> Any:
    """The answer to a JSON question.

    Raises:
        EndpointError: no answer, an error, or no JSON.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(url, json=body, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise _NotServedError(f"{url} is not served (404).")
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise EndpointError(f"{url} cannot be used: {error}.") from error


def _rows(answer: Any) -> list[Any]:
    try:
        rows = answer["data"]
        [(row["index"], float(row["score"])) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise EndpointError(f"The score endpoint answered without the scores: {error}.") from error
    return list(rows)


def _log_odds(share: float) -> float:
    """Of a probability; what lies outside 0 to 1 is taken as log-odds already."""
    if not 0 <= share <= 1:
        return share
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))

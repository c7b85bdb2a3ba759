"""A cross-encoder of our own, made from the packaged MiniLM by `python -m evals.reranker.train`.

Its file holds only what was trained, the upper layers as 8-bit integers with a scale per row and the head; embeddings
and lower layers are the packaged encoder's.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, MissingRequirement
from retrieval.encoders import load_minilm

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from retrieval.rerank.pair_model import PairModel

SHIPPED = Path(__file__).parent / "weights" / "reranker.safetensors"
_QUESTION_TOKENS, _PAIR_TOKENS = 64, 224
_SENTENCE = 5
"""Words from which a search without a question mark is read as a claim or a question."""
_BATCH = 16
_LENGTHS = 16
"""Batches have few different lengths: for each, kernels are compiled and kept."""
_ROWS = 1e-8


class CrossEncoder:
    """A `core.ports.Reranker`. Loads at the first use; safe to use from several threads.

    Raises:
        InputError: there is no such file.
        MissingRequirement: the packaged encoder is absent, or was not what the reranker was trained from.
    """

    def __init__(self, weights: Path) -> None:
        if not weights.is_file():
            raise InputError(f"There are no reranker weights {str(weights)!r}.")
        self._path = weights
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, PairModel] | None = None

    @property
    def identity(self) -> str:
        """Name and hash of the trained part."""
        return f"consilium-reranker/{hashlib.sha256(self._path.read_bytes()).hexdigest()[:16]}"

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Scores of shape (len(passages),), higher is better; all zero for a topic, which it does not judge."""
        import torch

        from retrieval.rerank.pair_model import padded

        scores = np.zeros(len(passages), dtype=np.float32)
        if not passages or is_topic(question):
            return scores
        tokenizer, model = self._parts()
        pairs = pair_tokens(tokenizer, [(question, passage) for passage in passages])
        # Pairs of like length go together, so that little is computed on padding.
        order = sorted(range(len(pairs)), key=lambda row: len(pairs[row][1]))
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                scores[rows] = model(padded([pairs[row] for row in rows], _LENGTHS)).numpy()
        return scores

    def _parts(self) -> tuple[Tokenizer, PairModel]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _for_use(self._path)
            return self._loaded


def is_topic(question: str) -> bool:
    """Whether a search names a subject rather than asks or claims something.

    The reranker learnt from questions and claims; on MeSH headings it made the development part worse, also after it had
    been shown others.
    """
    return "?" not in question and len(question.split()) < _SENTENCE


def load_base() -> tuple[Tokenizer, PairModel]:
    """The untrained model over the packaged encoder's weights, and its tokenizer."""
    from retrieval.rerank.pair_model import PairModel

    tokenizer, encoder = load_minilm(_PAIR_TOKENS)
    return tokenizer, PairModel(encoder)


def pair_tokens(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    """Token ids of question and passage, cut to what the model reads; the passage gives way before the question."""
    questions = {question for question, _ in pairs}
    asked = {question: tokenizer.encode(question).ids for question in questions}
    asked = {question: [*ids[: _QUESTION_TOKENS - 1], ids[-1]] if len(ids) > _QUESTION_TOKENS else ids
             for question, ids in asked.items()}  # fmt: skip
    found = []
    for (question, _), encoding in zip(pairs, tokenizer.encode_batch([passage for _, passage in pairs]), strict=True):
        # Without the passage's own first token: [CLS] question [SEP] passage [SEP].
        first, second = asked[question], encoding.ids[1:]
        room = _PAIR_TOKENS - len(first)
        found.append((first, second if len(second) <= room else [*second[: room - 1], second[-1]]))
    return found


def save(model: PairModel, path: Path, frozen: int) -> None:
    """Write the layers above `frozen` and the head; matrices as 8-bit integers with a scale per row."""
    import torch
    from safetensors.torch import save_file

    arrays: dict[str, Any] = {}
    for name, value in model.state_dict().items():
        if not _is_trained(name, frozen):
            continue
        value = value.detach().float()
        if value.ndim == 2 and min(value.shape) > 1:
            scale = value.abs().amax(1).clamp_min(_ROWS) / 127
            arrays[f"{name}:scale"] = scale.contiguous()
            value = torch.round(value / scale[:, None]).clamp(-127, 127).to(torch.int8)
        arrays[name] = value.contiguous()
    save_file(arrays, path, metadata={"frozen": str(frozen)})


def _is_trained(name: str, frozen: int) -> bool:
    if not name.startswith("encoder."):
        return True
    parts = name.split(".")
    return parts[1] == "encoder" and int(parts[3]) >= frozen


def _for_use(path: Path) -> tuple[Tokenizer, PairModel]:
    import torch

    tokenizer, model = load_trained(path)
    if fast_bfloat16():
        model.encoder.to(torch.bfloat16)
    return tokenizer, model


def load_trained(path: Path) -> tuple[Tokenizer, PairModel]:
    """The model with what `save` wrote, float32, and its tokenizer.

    Raises:
        MissingRequirement: the packaged encoder is absent, or was not what the reranker was trained from.
    """
    from safetensors import safe_open

    tokenizer, model = load_base()
    state = model.state_dict()
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        for name in names:
            if name.endswith(":scale"):
                continue
            if name not in state:
                raise MissingRequirement(
                    f"The encoder that the reranker was made from (this one has no {name})", "make setup"
                )
            value = file.get_tensor(name).float()
            if f"{name}:scale" in names:
                value = value * file.get_tensor(f"{name}:scale")[:, None]
            state[name] = value
    model.load_state_dict(state)
    model.eval()
    return tokenizer, model


@lru_cache(maxsize=1)
def fast_bfloat16() -> bool:
    """Whether the processor has bfloat16 arithmetic."""
    import torch

    known = hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    return bool(known and torch.ops.mkldnn._is_mkldnn_bf16_supported())
